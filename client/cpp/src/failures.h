// google.rpc.Status → the exception that it stands for. The one place where failures cross the wire.
#pragma once

#include <exception>
#include <string>

#include "callgate/errors.h"
#include "google/rpc/status.pb.h"

namespace callgate::internal {

/// The exception to throw for a failed call: a PythonError if the function raised, else a GateError. Without details (a
/// proxy's error) the code alone decides.
std::exception_ptr error_from_status(const google::rpc::Status& status, const std::string& call_id = {});

/// A number as a code; UNKNOWN for one that is none.
Code code_of(int number);

}  // namespace callgate::internal
