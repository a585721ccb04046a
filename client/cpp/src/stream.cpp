#include "callgate/stream.h"

#include "stream_state.h"
#include "wire.h"

namespace callgate {

namespace internal {

std::optional<Value> StreamState::next() {
  if (reader_ == nullptr) return std::nullopt;
  v1::StreamFunctionResponse response;
  if (reader_->Read(&response)) {
    try {
      return decode_from(*response.mutable_value(), "result");
    } catch (const ValueDecodeError&) {
      close();  // what follows would be taken for it
      throw;
    }
  }
  const grpc::Status status = reader_->Finish();
  reader_.reset();
  if (!status.ok()) std::rethrow_exception(connection_->error_of(status, rpc_.context()));
  return std::nullopt;
}

void StreamState::close() noexcept {
  if (reader_ == nullptr) return;
  rpc_.context().TryCancel();
  reader_->Finish();  // at once, since it is cancelled; gRPC wants its end to be waited for
  reader_.reset();
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
