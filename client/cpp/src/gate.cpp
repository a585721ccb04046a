// Gate: calls, batches, and what there is to call.
#include "callgate/gate.h"

#include <stdexcept>

#include <grpcpp/channel.h>

#include "connection.h"
#include "failures.h"
#include "stream_state.h"
#include "wire.h"

namespace callgate {

using internal::Place;
using internal::Rpc;

Gate::Gate(std::string target, Options options)
    : connection_(std::make_shared<internal::Connection>(std::move(target), options)) {}

Gate::Gate(Gate&&) noexcept = default;

Gate& Gate::operator=(Gate&& other) noexcept {
  if (this != &other) {
    close();
    connection_ = std::move(other.connection_);
  }
  return *this;
}

Gate::~Gate() { close(); }

void Gate::close() noexcept {
  if (connection_ != nullptr) connection_->close();
}

Value Gate::call(std::string_view module, std::string_view function, const Args& args, const Kwargs& kwargs,
                 const CallOptions& options) const {
  const auto deadline = connection_->deadline(options.timeout);
  internal::Kept<v1::CallFunctionRequest> kept;
  v1::CallFunctionRequest& request = kept.message();
  internal::fill_request(request, module, function, args, kwargs);
  connection_->check_size(kept.sized(request.ByteSizeLong()));
  v1::CallFunctionResponse response;
  {
    const Place place(*connection_, deadline, options.stop);
    Rpc rpc(*connection_, deadline, options.stop);
    const grpc::Status status = connection_->stub().CallFunction(&rpc.context(), request, &response);
    if (!status.ok()) std::rethrow_exception(connection_->error_of(status, rpc.context()));
  }
  return internal::decode_from(*response.mutable_value(), "result");
}

Stream Gate::stream(std::string_view module, std::string_view function, const Args& args, const Kwargs& kwargs,
                    const CallOptions& options) const {
  const auto deadline = connection_->deadline(options.timeout);
  v1::CallFunctionRequest request;
  internal::fill_request(request, module, function, args, kwargs);
  connection_->check_size(request.ByteSizeLong());
  return Stream(std::make_unique<internal::StreamState>(connection_, request, deadline, options.stop));
}

bool Gate::connect(Seconds timeout) const {
  const auto deadline = connection_->deadline(timeout);
  const auto until =
      deadline ? gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                              gpr_time_from_nanos((*deadline - std::chrono::steady_clock::now()).count(), GPR_TIMESPAN))
               : gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return connection_->channel().WaitForConnected(until);
}

}  // namespace callgate
