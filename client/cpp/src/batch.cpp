// Many calls in one message.
#include "callgate/batch.h"

#include <cmath>

#include "answers.h"
#include "callgate/gate.h"
#include "connection.h"
#include "failures.h"
#include "wire.h"

namespace callgate {

const Value& Outcome::value() const& {
  if (!ok()) std::rethrow_exception(std::get<1>(result_));
  return std::get<0>(result_);
}

Value Outcome::value() && {
  if (!ok()) std::rethrow_exception(std::get<1>(result_));
  return std::move(std::get<0>(result_));
}

namespace {

GateError server_fault(std::string message) {
  return GateError({.code = Code::internal, .message = std::move(message)});
}

std::exception_ptr no_answer() {
  return std::make_exception_ptr(server_fault("the server ended the batch without an answer to this call"));
}

Outcome outcome_of(v1::BatchResult& result) {
  switch (result.outcome_case()) {
    case v1::BatchResult::kResponse:
      try {
        return internal::decode_from(*result.mutable_response()->mutable_value(), "result");
      } catch (const ValueDecodeError&) {
        return std::current_exception();
      }
    case v1::BatchResult::kError:
      return internal::error_from_status(result.error());
    case v1::BatchResult::OUTCOME_NOT_SET:
      break;
  }
  return no_answer();
}

void set_call_timeout(v1::BatchCallFunctionsRequest& request, Seconds timeout) {
  if (!(timeout.count() >= 0)) throw std::invalid_argument("a call_timeout is 0 or more seconds");
  constexpr Seconds forever = std::chrono::hours(100 * 365 * 24);  // as Connection::deadline has it
  if (timeout >= forever) return;
  const auto span =
      std::max(std::chrono::duration_cast<std::chrono::nanoseconds>(timeout), std::chrono::nanoseconds(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
  request.mutable_call_timeout()->set_seconds(seconds.count());
  request.mutable_call_timeout()->set_nanos(static_cast<std::int32_t>((span - seconds).count()));
}

// Puts answers where they belong. Throws if the server answers what was not asked, or twice.
void take_answers(v1::BatchCallFunctionsResponse& response, std::vector<std::optional<Outcome>>& slots) {
  for (v1::BatchResult& result : *response.mutable_results()) {
    const auto index = static_cast<std::size_t>(result.index());
    if (result.index() < 0 || index >= slots.size() || slots[index]) {
      throw server_fault("the server answered call " + std::to_string(result.index()) + " of a batch of " +
                         std::to_string(slots.size()) + " twice, or unasked");
    }
    slots[index] = outcome_of(result);
  }
}

}  // namespace

std::vector<Outcome> Gate::batch(const std::vector<Call>& calls, const BatchOptions& options) const {
  const auto deadline = connection_->deadline(options.timeout);
  v1::BatchCallFunctionsRequest request;
  for (const Call& call : calls) {
    const std::string at = "calls[" + std::to_string(request.calls_size()) + "].";
    internal::fill_request(*request.add_calls(), call.module, call.function, call.args, call.kwargs, at);
  }
  if (options.call_timeout) set_call_timeout(request, *options.call_timeout);
  connection_->check_size(request.ByteSizeLong());
  if (calls.empty()) return {};

  std::vector<std::optional<Outcome>> slots(calls.size());
  std::exception_ptr failure;
  {
    const internal::Place place(*connection_, deadline, options.stop);
    internal::Rpc rpc(*connection_, deadline, options.stop);
    internal::Answers<v1::BatchCallFunctionsResponse> answers(*connection_, connection_->batch_method(), rpc.context(),
                                                              request);
    try {
      v1::BatchCallFunctionsResponse response;
      while (answers.next(response)) take_answers(response, slots);
      const grpc::Status status = answers.finish();
      if (!status.ok()) failure = connection_->error_of(status, rpc.context());
    } catch (const GateError&) {  // what came is no answer
      failure = std::current_exception();
      answers.cancel();
    }
  }
  const bool any = std::any_of(slots.begin(), slots.end(), [](const auto& slot) { return slot.has_value(); });
  if (failure != nullptr && !any) std::rethrow_exception(failure);
  std::vector<Outcome> made;
  made.reserve(slots.size());
  for (auto& slot : slots) {
    made.push_back(slot ? std::move(*slot) : Outcome(failure != nullptr ? failure : no_answer()));
  }
  return made;
}

}  // namespace callgate
