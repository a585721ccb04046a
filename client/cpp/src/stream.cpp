#include "callgate/stream.h"

#include "stream_state.h"
#include "wire.h"

namespace callgate {

namespace internal {

std::optional<Value> StreamState::next() {
  if (!answers_) return std::nullopt;
  v1::StreamFunctionResponse response;
  try {
    if (answers_->next(response)) return decode_from(*response.mutable_value(), "result");
  } catch (const Error&) {
    close();  // what follows would be taken for the item that this was not
    throw;
  }
  const grpc::Status status = answers_->finish();
  answers_.reset();
  if (!status.ok()) std::rethrow_exception(connection_->error_of(status, rpc_.context()));
  return std::nullopt;
}

void StreamState::close() noexcept {
  if (!answers_) return;
  answers_->cancel();
  answers_.reset();
}

}  // namespace internal

Stream::Stream(std::unique_ptr<internal::StreamState> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

std::optional<Value> Stream::next() { return state_ != nullptr ? state_->next() : std::nullopt; }

void Stream::close() noexcept {
  if (state_ != nullptr) state_->close();
}

}  // namespace callgate
