#include "connection.h"

#include <charconv>
#include <stdexcept>

#include <grpc/support/time.h>

#include "channel.h"
#include "failures.h"
#include "quote.h"
#include "utf8.h"
#include "wire.h"

namespace callgate::internal {

namespace {

GateError cancelled(std::string message) { return GateError({.code = Code::cancelled, .message = std::move(message)}); }

GateError expired(std::string message) {
  return GateError({.code = Code::deadline_exceeded, .message = std::move(message), .reason = "EXPIRED_IN_QUEUE"});
}

GateError no_time() { return expired("the deadline passed before the call left this client; it never started"); }

GateError cancelled_unsent() { return cancelled("the call was cancelled before it was sent; it never started"); }

GateError closed() { return cancelled("this Gate is closed"); }

GateFailure too_large(std::string reason, std::string message, const std::string& size, const std::string& limit) {
  return {.code = Code::resource_exhausted,
          .message = std::move(message),
          .reason = std::move(reason),
          .metadata = {{"size", size}, {"limit", limit}, {"unit", "bytes"}}};
}

// The number at the start of a text, and what follows it.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// What gRPC says of a message that it refuses, on either side: "SERVER: Received message larger than max (20 vs. 10)".
// Newer servers say which side it was; this library's own is told by its limit.
std::optional<GateFailure> refused_by_size(std::string_view message, std::int64_t own_limit) {
  constexpr std::string_view sign = "eceived message larger than max (";
  const std::size_t found = message.find(sign);
  if (found == std::string_view::npos) return std::nullopt;
  std::string_view rest = message.substr(found + sign.size());
  const auto size = take_number(rest);
  constexpr std::string_view versus = " vs. ";
  if (!size || !rest.starts_with(versus)) return std::nullopt;
  rest.remove_prefix(versus.size());
  const auto limit = take_number(rest);
  if (!limit) return std::nullopt;
  const std::string large = std::to_string(*size);
  const std::string most = std::to_string(*limit);
  const bool here = !message.starts_with("SERVER") && (message.starts_with("CLIENT") || *limit == own_limit);
  return here ? too_large("RESPONSE_TOO_LARGE",
                          "the answer is " + large + " bytes; this client takes at most " + most + " (max_message)",
                          large, most)
              : too_large("REQUEST_TOO_LARGE", "the request is " + large + " bytes; the server takes at most " + most,
                          large, most);
}

void check_name(std::string_view name, std::string_view what, std::string_view at) {
  if (is_utf8(name)) return;
  throw ValueFormError("a name is not UTF-8", std::string(at) + std::string(what));
}

}  // namespace

Connection::Connection(std::string target, const Options& options)
    : target_(checked_target(std::move(target))),
      authorization_(internal::authorization(options)),
      max_message_(options.max_message),
      in_flight_(options.in_flight),
      channel_(open_channel(target_, options)),
      stub_(v1::FunctionService::NewStub(channel_)),
      stream_method_("/callgate.v1.FunctionService/StreamFunction", grpc::internal::RpcMethod::SERVER_STREAMING,
                     channel_),
      batch_method_("/callgate.v1.FunctionService/BatchCallFunctions", grpc::internal::RpcMethod::SERVER_STREAMING,
                    channel_),
      places_(options.in_flight) {
  static_cast<void>(deadline(options.timeout));  // so that a bad one is told here
  timeout_ = options.timeout;
}

std::optional<Instant> Connection::deadline(const std::optional<Seconds>& timeout) const {
  constexpr Seconds forever =
      std::chrono::hours(100 * 365 * 24);  // beyond, gRPC's 64-bit nanoseconds might wrap around
  const std::optional<Seconds>& wanted = timeout ? timeout : timeout_;
  if (!wanted) return std::nullopt;
  if (!(wanted->count() >= 0)) {  // catches NaN as well
    throw std::invalid_argument("a timeout is 0 or more seconds, not " + std::to_string(wanted->count()));
  }
  if (*wanted >= forever) return std::nullopt;
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(*wanted);
}

void Connection::take_place(const std::optional<Instant>& deadline, const std::stop_token& stop) {
  switch (places_.take(deadline, stop)) {
    case Places::Taken::yes:
      return;
    case Places::Taken::stopped:
      throw cancelled_unsent();
    case Places::Taken::closed:
      throw closed();
    case Places::Taken::too_late:
      break;
  }
  throw expired("the deadline passed while the call waited in this client, which has " + std::to_string(in_flight_) +
                " on their way at once (in_flight); it never started");
}

void Connection::check_size(std::size_t bytes) const {
  if (bytes <= static_cast<std::size_t>(max_message_)) return;
  const std::string size = std::to_string(bytes);
  const std::string limit = std::to_string(max_message_);
  throw GateError(too_large("REQUEST_TOO_LARGE",
                            "the request is " + size + " bytes; this client sends at most " + limit + " (max_message)",
                            size, limit));
}

std::exception_ptr Connection::error_of(const grpc::Status& status, const grpc::ClientContext& context) const {
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto id = trailing.find("callgate-call-id");
  const std::string call_id = id == trailing.end() ? "" : std::string(id->second.data(), id->second.size());
  google::rpc::Status rich;
  const std::string details = status.error_details();
  // If the codes differ, somebody on the way, a proxy, changed the answer: its code counts.
  if (!details.empty() && rich.ParseFromString(details) && rich.code() == static_cast<int>(status.error_code())) {
    return error_from_status(rich, call_id);
  }
  GateFailure failure{
      .code = code_of(static_cast<int>(status.error_code())), .message = status.error_message(), .call_id = call_id};
  constexpr std::string_view unreachable = "failed to connect to all addresses; last error: ";
  if (failure.code == Code::deadline_exceeded) {
    failure.message = "the deadline passed before an answer came";
  } else if (failure.code == Code::cancelled && closing_.stop_requested()) {
    failure.message = "this Gate was closed while the call was on its way; the function may have run";
  } else if (failure.code == Code::unavailable && failure.message.starts_with(unreachable)) {
    failure.message = "cannot connect to " + target_ + ": " + failure.message.substr(unreachable.size());
  } else if (failure.code == Code::resource_exhausted) {
    if (auto refused = refused_by_size(failure.message, max_message_ + 1024)) failure = std::move(*refused);
  } else if (failure.code == Code::unimplemented && failure.message == "No message returned for unary request") {
    // What this library makes of an answer that is no such message.
    failure.code = Code::internal;
    failure.message = no_message;
  }
  if (failure.message.empty()) failure.message = name_of(failure.code);
  return std::make_exception_ptr(GateError(std::move(failure)));
}

void Connection::close() noexcept {
  closing_.request_stop();
  places_.close();
}

Rpc::Rpc(const Connection& connection, const std::optional<Instant>& deadline, const std::stop_token& stop) {
  if (connection.closing().stop_requested()) throw closed();
  if (stop.stop_requested()) throw cancelled_unsent();
  if (deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::nanoseconds>(*deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) throw no_time();
    // The monotonic clock: a step of the wall clock must not move a deadline.
    context_.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left.count(), GPR_TIMESPAN)));
  }
  if (!connection.authorization().empty()) context_.AddMetadata("authorization", connection.authorization());
  if (stop.stop_possible()) on_stop_.emplace(stop, Cancel{context_});
  on_close_.emplace(connection.closing(), Cancel{context_});
}

void fill_request(v1::CallFunctionRequest& request, std::string_view module, std::string_view function,
                  const Args& args, const Kwargs& kwargs, std::string_view at) {
  check_name(module, "module", at);
  check_name(function, "function", at);
  request.set_module(module.data(), module.size());
  request.set_function(function.data(), function.size());
  request.mutable_args()->Reserve(static_cast<int>(args.values().size()));
  for (const Value& value : args.values()) {
    try {
      encode_into(value, *request.add_args(), "");
    } catch (ValueFormError& error) {
      error.prepend(std::string(at) + "args[" + std::to_string(request.args_size() - 1) + "]");
      throw;
    }
  }
  for (const auto& [name, value] : kwargs) {
    const auto path = [&, &name = name] { return std::string(at) + "kwargs[" + quote(name) + "]"; };
    if (!is_utf8(name)) throw ValueFormError("a name is not UTF-8", path());
    try {
      encode_into(value, (*request.mutable_kwargs())[name], "");
    } catch (ValueFormError& error) {
      error.prepend(path());
      throw;
    }
  }
}

}  // namespace callgate::internal
