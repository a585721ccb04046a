// A stream on its way.
#pragma once

#include <memory>
#include <optional>

#include "connection.h"

namespace callgate::internal {

/// The RPC behind a Stream; keeps the connection.
class StreamState {
 public:
  StreamState(std::shared_ptr<Connection> connection, const v1::CallFunctionRequest& request,
              const std::optional<Instant>& deadline, const std::stop_token& stop)
      : connection_(std::move(connection)),
        rpc_(*connection_, deadline, stop),
        reader_(connection_->stub().StreamFunction(&rpc_.context(), request)) {}

  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;
  ~StreamState() { close(); }

  /// The next item, nothing at the end. Throws as Stream::next().
  std::optional<Value> next();

  /// Cancels what has not ended.
  void close() noexcept;

 private:
  std::shared_ptr<Connection> connection_;
  Rpc rpc_;
  std::unique_ptr<grpc::ClientReaderInterface<v1::StreamFunctionResponse>> reader_;
};

}  // namespace callgate::internal
