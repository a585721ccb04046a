//! What a server's health service says (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

use std::fmt;

use tonic_health::pb::health_check_response::ServingStatus;

/// How a server is, or one of its services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthStatus {
    /// Nobody has said yet.
    Unknown,
    /// It takes calls.
    Serving,
    /// It takes none: it starts, drains, or cannot go on.
    NotServing,
    /// There is no such service.
    ServiceUnknown,
}

impl From<ServingStatus> for HealthStatus {
    fn from(status: ServingStatus) -> HealthStatus {
        match status {
            ServingStatus::Unknown => HealthStatus::Unknown,
            ServingStatus::Serving => HealthStatus::Serving,
            ServingStatus::NotServing => HealthStatus::NotServing,
            ServingStatus::ServiceUnknown => HealthStatus::ServiceUnknown,
        }
    }
}

/// The protocol's own name: `"SERVING"`.
impl fmt::Display for HealthStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            HealthStatus::Unknown => "UNKNOWN",
            HealthStatus::Serving => "SERVING",
            HealthStatus::NotServing => "NOT_SERVING",
            HealthStatus::ServiceUnknown => "SERVICE_UNKNOWN",
        })
    }
}
