// Every exception that Callgate throws.
//
//     std::runtime_error
//     └── Error
//         ├── GateError           getting to the function failed: code(), reason()
//         ├── PythonError         the function raised: exception(); its cause is nested (std::rethrow_if_nested)
//         ├── ValueFormError      an argument is no value that can be sent: path()
//         ├── ValueDecodeError    the answer is no value that Python could hold: path()
//         └── ValueTypeError      Value::as<T>() of another kind: path()
//
// Arguments that make no sense (a negative timeout, a target that is none) are std::invalid_argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "callgate/value.h"
#include "callgate/value_error.h"

namespace callgate {

/// A gRPC status code; the numbers are gRPC's own.
enum class Code {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

/// A code's canonical name: "NOT_FOUND".
std::string_view name_of(Code code);

/// A further detail of a failure's status: what a StatusError attached.
struct Detail {
  /// What it is: "type.googleapis.com/google.rpc.Help".
  std::string type_url;
  /// The serialized message.
  std::string value;
};

/// What a GateError is made of.
struct GateFailure {
  /// The gRPC code.
  Code code = Code::unknown;
  /// The server's sentence.
  std::string message{};
  /// A name of callgate.v1.ErrorReason without its prefix; "" if the failure came from gRPC itself.
  std::string reason{};
  /// More about the reason, by name.
  std::map<std::string, std::string> metadata{};
  /// After how long a retry is welcome, if the server said.
  std::optional<std::chrono::nanoseconds> retry_after{};
  /// The id under which the server logged the call, "" if none came.
  std::string call_id{};
  /// Further details of the status.
  std::vector<Detail> details{};
};

/// Getting to the function failed; docs/errors.md says which reasons promise that it did not run.
class GateError : public Error {
 public:
  /// Makes one.
  explicit GateError(GateFailure failure);

  /// The gRPC code.
  Code code() const noexcept { return failure_->code; }
  /// Why, for programs to branch on: "FUNCTION_NOT_FOUND"; "" if the failure came from gRPC itself.
  const std::string& reason() const noexcept { return failure_->reason; }
  /// Why, for people.
  const std::string& message() const noexcept { return failure_->message; }
  /// More about the reason, by name.
  const std::map<std::string, std::string>& metadata() const noexcept { return failure_->metadata; }
  /// After how long a retry is welcome, if the server said.
  std::optional<std::chrono::nanoseconds> retry_after() const noexcept { return failure_->retry_after; }
  /// The id under which the server logged the call, "" if none came.
  const std::string& call_id() const noexcept { return failure_->call_id; }
  /// Further details of the status.
  const std::vector<Detail>& details() const noexcept { return failure_->details; }

 private:
  std::shared_ptr<const GateFailure> failure_;  // shared: copying an exception must not throw
};

/// One frame of a remote traceback.
struct Frame {
  /// The file on the server.
  std::string file;
  /// The line, from 1.
  std::int32_t line = 0;
  /// The function's qualified name.
  std::string function;
  /// The source line, "" if unknown.
  std::string source;
  /// How many times more the frame came in a row (recursion).
  std::int32_t repeated = 0;
};

/// A Python exception, as data.
struct PythonException {
  /// The class's name: "ZeroDivisionError".
  std::string type;
  /// The class's module: "builtins".
  std::string module;
  /// The class's qualified name where it differs from type, else "".
  std::string qualname;
  /// str(exception).
  std::string message;
  /// exception.args, where all of them have a Value form.
  std::vector<Value> args;
  /// Whether args is empty because one has none.
  bool args_omitted = false;
  /// __notes__.
  std::vector<std::string> notes;
  /// The traceback, outermost frame first; empty where the server keeps it.
  std::vector<Frame> frames;
  /// __cause__, null if there is none.
  std::shared_ptr<const PythonException> cause;
  /// __context__, null if there is none.
  std::shared_ptr<const PythonException> context;
  /// __suppress_context__.
  bool suppress_context = false;
  /// The members of an ExceptionGroup.
  std::vector<PythonException> exceptions;
  /// The builtin classes that this one derives from, nearest first.
  std::vector<std::string> builtin_bases;
  /// Whether something was left out because it did not fit.
  bool truncated = false;
  /// Fields of the builtin classes that have their own: "errno", "filename".
  std::map<std::string, Value> attributes;

  /// "module.QualName" of the class; without the module for builtins.
  std::string full_name() const;
  /// Whether it is of that class, or of a class that derives from that builtin: is_a("LookupError").
  bool is_a(std::string_view name) const;
  /// The exception with its traceback, notes and causes, as text for people.
  std::string report() const;
};

/// The function raised. what() is the exception's report, with the remote traceback where the server tells it. One that
/// has a cause is thrown as a std::nested_exception, too, whose inner exception is the cause's PythonError.
class PythonError : public Error {
 public:
  /// Makes one. `failure` has the code, the reason (FUNCTION_RAISED or NO_VALUE_FORM), metadata and the call's id.
  PythonError(std::shared_ptr<const PythonException> exception, GateFailure failure);

  /// The exception that the function raised.
  const PythonException& exception() const noexcept { return *exception_; }
  /// str() of the exception.
  const std::string& message() const noexcept { return exception_->message; }
  /// "module.QualName" of its class; without the module for builtins.
  std::string type() const { return exception_->full_name(); }
  /// Whether it is of that class, or of a class that derives from that builtin: is_a("LookupError").
  bool is_a(std::string_view name) const { return exception_->is_a(name); }
  /// The gRPC code: UNKNOWN, or what a callgate.StatusError chose.
  Code code() const noexcept { return failure_->code; }
  /// FUNCTION_RAISED, or NO_VALUE_FORM if the function returned what cannot travel.
  const std::string& reason() const noexcept { return failure_->reason; }
  /// More about the reason, by name.
  const std::map<std::string, std::string>& metadata() const noexcept { return failure_->metadata; }
  /// After how long a retry is welcome, if a StatusError said.
  std::optional<std::chrono::nanoseconds> retry_after() const noexcept { return failure_->retry_after; }
  /// The id under which the server logged the call, "" if none came.
  const std::string& call_id() const noexcept { return failure_->call_id; }
  /// Further details of the status: what a StatusError attached.
  const std::vector<Detail>& details() const noexcept { return failure_->details; }

 private:
  std::shared_ptr<const PythonException> exception_;
  std::shared_ptr<const GateFailure> failure_;
};

}  // namespace callgate
