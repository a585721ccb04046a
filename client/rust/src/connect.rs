//! How to reach a server.

use std::time::Duration;

use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::Gate;
use crate::errors::{Error, from_transport};
use crate::values::ValueError;

/// The largest that a server can be set to take: what is too large is the server's to say, without a setting here.
const MAX_MESSAGE: usize = 1 << 30;
/// Below the server's admission limit of 128, so that one client's flood waits here instead of being refused there.
const IN_FLIGHT: usize = 100;
/// Failures carry a whole exception, in trailers of about 8 KB.
const MAX_METADATA: u32 = 16 * 1024;
/// Find out that a peer is gone although its host never said so.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach a server; made by [`Gate::builder`].
#[derive(Clone)]
#[must_use = "a Builder does nothing until it is told to connect"]
pub struct Builder {
    target: String,
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    server_name: Option<String>,
    token: String,
    timeout: Option<Duration>,
    connect_timeout: Duration,
    max_message: usize,
    in_flight: usize,
}

impl Builder {
    pub(crate) fn new(target: String) -> Builder {
        Builder {
            target,
            ca: None,
            identity: None,
            server_name: None,
            token: String::new(),
            timeout: None,
            connect_timeout: CONNECT_TIMEOUT,
            max_message: MAX_MESSAGE,
            in_flight: IN_FLIGHT,
        }
    }

    /// Who signs the server's certificate, as PEM; otherwise the system's authorities are asked.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Builder {
        self.ca = Some(pem.into());
        self
    }

    /// The client's own certificate and its key, as PEM, for mutual TLS.
    pub fn identity(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Builder {
        self.identity = Some((certificate.into(), key.into()));
        self
    }

    /// The name to expect in the server's certificate, where it is not the target's.
    pub fn server_name(mut self, name: impl Into<String>) -> Builder {
        self.server_name = Some(name.into());
        self
    }

    /// A bearer token.
    pub fn token(mut self, token: impl Into<String>) -> Builder {
        self.token = token.into();
        self
    }

    /// How long a call may take unless it says otherwise; without it there is no limit.
    pub fn timeout(mut self, timeout: Duration) -> Builder {
        self.timeout = Some(timeout);
        self
    }

    /// How long making a connection may take; 5 seconds unless said otherwise.
    pub fn connect_timeout(mut self, timeout: Duration) -> Builder {
        self.connect_timeout = timeout;
        self
    }

    /// The largest message to send or take, in bytes; 1 GiB unless said otherwise. The server's limit holds beside it.
    pub fn max_message(mut self, bytes: usize) -> Builder {
        self.max_message = bytes;
        self
    }

    /// How many calls may be on their way at once; 100 unless said otherwise. More wait in this client for their turn.
    pub fn in_flight(mut self, calls: usize) -> Builder {
        self.in_flight = calls;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// [`Error::Gate`] if there is no server, or TLS does not work out; [`Error::Value`] if what was said does not go
    /// together.
    pub async fn connect(self) -> Result<Gate, Error> {
        let (endpoint, authorization) = self.prepare()?;
        let channel = endpoint.connect().await.map_err(|error| from_transport(error, &self.target))?;
        Ok(self.gate(channel, authorization))
    }

    /// Connects with the first call. Needs a Tokio runtime nevertheless.
    ///
    /// # Errors
    /// [`Error::Value`] if what was said does not go together.
    pub fn connect_lazy(self) -> Result<Gate, Error> {
        let (endpoint, authorization) = self.prepare()?;
        let channel = endpoint.connect_lazy();
        Ok(self.gate(channel, authorization))
    }

    fn gate(self, channel: tonic::transport::Channel, authorization: Option<AsciiMetadataValue>) -> Gate {
        Gate::over(channel, authorization, self.target, self.timeout, self.max_message, self.in_flight)
    }

    fn prepare(&self) -> Result<(Endpoint, Option<AsciiMetadataValue>), ValueError> {
        if self.in_flight == 0 || self.max_message == 0 {
            return Err(ValueError::new("in_flight and max_message are 1 or more"));
        }
        let endpoint = self
            .endpoint()?
            .connect_timeout(self.connect_timeout)
            .http2_max_header_list_size(MAX_METADATA)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        Ok((endpoint, authorization(&self.token)?))
    }

    fn endpoint(&self) -> Result<Endpoint, ValueError> {
        let wants_tls = self.ca.is_some() || self.identity.is_some() || self.server_name.is_some();
        let uri = match self.target.split_once("://") {
            None if self.target.starts_with("unix:") => self.target.clone(),
            None if wants_tls => format!("https://{}", self.target),
            None => format!("http://{}", self.target),
            Some(_) => self.target.clone(),
        };
        let secure = uri.starts_with("https://");
        if wants_tls && !secure {
            return Err(ValueError::new(format!("{:?}: ca, identity and server_name want https://", self.target)));
        }
        let wrong = |error: tonic::transport::Error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            ValueError::new(format!("{:?} is no target: {why}; write http://HOST:PORT", self.target))
        };
        let endpoint = Endpoint::from_shared(uri).map_err(wrong)?;
        if !secure {
            return Ok(endpoint);
        }
        let unusable = |error: tonic::transport::Error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            ValueError::new(format!("ca, certificate or key is no usable PEM, or they do not go together: {why}"))
        };
        endpoint.tls_config(self.tls()?).map_err(unusable)
    }

    fn tls(&self) -> Result<ClientTlsConfig, ValueError> {
        let mut tls = ClientTlsConfig::new();
        tls = match &self.ca {
            Some(pem) => tls.ca_certificate(Certificate::from_pem(checked(pem, "ca")?)),
            None => tls.with_native_roots(),
        };
        if let Some((certificate, key)) = &self.identity {
            tls = tls.identity(Identity::from_pem(checked(certificate, "certificate")?, checked(key, "key")?));
        }
        if let Some(name) = &self.server_name {
            tls = tls.domain_name(name);
        }
        Ok(tls)
    }
}

/// The token's text stays out of everything that is printed.
impl std::fmt::Debug for Builder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Builder").field("target", &self.target).finish_non_exhaustive()
    }
}

fn checked<'a>(pem: &'a [u8], what: &str) -> Result<&'a [u8], ValueError> {
    const BEGIN: &[u8] = b"-----BEGIN";
    if pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Ok(pem);
    }
    Err(ValueError::new(format!("{what} is not PEM (no '-----BEGIN' line)")))
}

fn authorization(token: &str) -> Result<Option<AsciiMetadataValue>, ValueError> {
    let token = token.trim();
    if token.is_empty() {
        return Ok(None);
    }
    // RFC 6750 allows less; a header takes this much. The token itself must not get into a message.
    let wrong = || ValueError::new("a token is one word of printable ASCII characters");
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong());
    }
    let mut value = AsciiMetadataValue::try_from(format!("Bearer {token}")).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok(Some(value))
}
