#include "failures.h"

#include <memory>
#include <utility>

#include "callgate/v1/failure.pb.h"
#include "google/rpc/error_details.pb.h"
#include "wire.h"

namespace callgate::internal {

namespace {

// ErrorInfo.domain of every failure that Callgate reports.
constexpr std::string_view callgate_domain = "callgate";

std::vector<Value> decoded_args(const v1::PythonException& from, bool& omitted) {
  std::vector<Value> made;
  try {
    for (v1::Value value : from.args()) {
      made.push_back(decode_from(value, "args[" + std::to_string(made.size()) + "]"));
    }
  } catch (const ValueDecodeError&) {  // an exception is worth more than its arguments
    made.clear();
    omitted = true;
  }
  return made;
}

PythonException exception_of(const v1::PythonException& from) {
  PythonException made;
  made.type = from.type();
  made.module = from.module();
  made.qualname = from.qualname();
  made.message = from.message();
  made.args_omitted = from.args_omitted();
  made.args = decoded_args(from, made.args_omitted);
  made.notes = {from.notes().begin(), from.notes().end()};
  for (const auto& frame : from.frames()) {
    made.frames.push_back({frame.file(), frame.line(), frame.function(), frame.source(), frame.repeated()});
  }
  if (from.has_cause()) made.cause = std::make_shared<const PythonException>(exception_of(from.cause()));
  if (from.has_context()) made.context = std::make_shared<const PythonException>(exception_of(from.context()));
  made.suppress_context = from.suppress_context();
  for (const auto& member : from.exceptions()) made.exceptions.push_back(exception_of(member));
  made.builtin_bases = {from.builtin_bases().begin(), from.builtin_bases().end()};
  made.truncated = from.truncated();
  for (const auto& [name, value] : from.attributes()) {
    try {
      v1::Value copy = value;
      made.attributes.emplace(name, decode_from(copy, name));
    } catch (const ValueDecodeError&) {
      continue;  // as above
    }
  }
  return made;
}

// Throws a PythonError, nested around what it was raised from, if there is that.
[[noreturn]] void raise(std::shared_ptr<const PythonException> exception, GateFailure failure) {
  const auto& inner = exception->cause != nullptr   ? exception->cause
                      : exception->suppress_context ? nullptr
                                                    : exception->context;
  PythonError error(exception, failure);
  if (inner == nullptr) throw error;
  try {
    failure.details.clear();
    raise(inner, std::move(failure));
  } catch (const PythonError&) {
    std::throw_with_nested(std::move(error));
  }
}

std::chrono::nanoseconds duration_of(const google::protobuf::Duration& from) {
  constexpr std::int64_t most_seconds = 9'000'000'000;  // 285 years: nanoseconds in 64 bits hold 292
  const std::int64_t seconds = std::clamp<std::int64_t>(from.seconds(), -most_seconds, most_seconds);
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(from.nanos());
}

}  // namespace

Code code_of(int number) {
  return number >= 0 && number <= static_cast<int>(Code::unauthenticated) ? static_cast<Code>(number) : Code::unknown;
}

std::exception_ptr error_from_status(const google::rpc::Status& status, const std::string& call_id) {
  GateFailure failure;
  failure.code = code_of(status.code());
  failure.message = status.message().empty() ? std::string(name_of(failure.code)) : status.message();
  failure.call_id = call_id;
  std::shared_ptr<const PythonException> exception;
  for (const auto& detail : status.details()) {
    // A detail that is not what it says is none.
    if (detail.Is<google::rpc::ErrorInfo>()) {
      google::rpc::ErrorInfo info;
      if (!detail.UnpackTo(&info) || info.domain() != callgate_domain || !failure.reason.empty()) continue;
      failure.reason = info.reason();
      failure.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (detail.Is<v1::PythonException>()) {
      v1::PythonException raised;
      if (detail.UnpackTo(&raised)) exception = std::make_shared<const PythonException>(exception_of(raised));
    } else if (detail.Is<google::rpc::RetryInfo>()) {
      google::rpc::RetryInfo retry;
      if (detail.UnpackTo(&retry)) failure.retry_after = duration_of(retry.retry_delay());
    } else {
      failure.details.push_back({detail.type_url(), detail.value()});
    }
  }
  if (failure.call_id.empty()) {
    if (const auto found = failure.metadata.find("call_id"); found != failure.metadata.end()) {
      failure.call_id = found->second;
    }
  }
  if (exception == nullptr) return std::make_exception_ptr(GateError(std::move(failure)));
  try {
    raise(std::move(exception), std::move(failure));
  } catch (const PythonError&) {
    return std::current_exception();
  }
}

}  // namespace callgate::internal
