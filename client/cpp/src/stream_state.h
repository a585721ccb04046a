// A stream on its way.
#pragma once

#include <memory>
#include <optional>

#include "answers.h"
#include "connection.h"

namespace callgate::internal {

/// The RPC behind a Stream; keeps the connection.
class StreamState {
 public:
  StreamState(std::shared_ptr<Connection> connection, const v1::CallFunctionRequest& request,
              const std::optional<Instant>& deadline, const std::stop_token& stop)
      : connection_(std::move(connection)),
        rpc_(*connection_, deadline, stop),
        answers_(std::in_place, *connection_, connection_->stream_method(), rpc_.context(), request) {}

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
  std::optional<Answers<v1::StreamFunctionResponse>> answers_;  // nothing once the stream has ended
};

}  // namespace callgate::internal
