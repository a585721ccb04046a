// What a Gate and its streams share: the channel, the places, and the one way to make an RPC.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "callgate/gate.h"
#include "callgate/v1/function_service.grpc.pb.h"
#include "places.h"

namespace callgate::internal {

/// What an answer is said to be that does not parse.
constexpr const char* no_message = "the answer is no message of callgate.v1; is it a Callgate server?";

/// A channel and what is to be known about it.
class Connection {
 public:
  Connection(std::string target, const Options& options);

  /// The generated stub.
  v1::FunctionService::StubInterface& stub() { return *stub_; }
  /// The channel.
  grpc::Channel& channel() { return *channel_; }
  /// StreamFunction, for Answers.
  const grpc::internal::RpcMethod& stream_method() const { return stream_method_; }
  /// BatchCallFunctions, for Answers.
  const grpc::internal::RpcMethod& batch_method() const { return batch_method_; }
  /// Stops when the Gate is closed.
  std::stop_token closing() const { return closing_.get_token(); }
  /// Of every request, "" for none.
  const std::string& authorization() const { return authorization_; }

  /// When a call that starts now has to be done; nothing for never.
  /// @throws std::invalid_argument for a negative timeout.
  std::optional<Instant> deadline(const std::optional<Seconds>& timeout) const;

  /// Takes one of the places of calls on their way; give it back by Place.
  /// @throws GateError if there is none in time, or the call is cancelled or the Gate closed meanwhile.
  void take_place(const std::optional<Instant>& deadline, const std::stop_token& stop);
  /// Gives it back.
  void give_place() { places_.give(); }

  /// @throws GateError if a request is larger than this client sends.
  void check_size(std::size_t bytes) const;

  /// The exception to throw for a failed RPC: by its rich status if it has one, else by its code.
  std::exception_ptr error_of(const grpc::Status& status, const grpc::ClientContext& context) const;

  /// Cancels what is on its way, and refuses what comes.
  void close() noexcept;

 private:
  std::string target_;
  std::string authorization_;
  std::optional<Seconds> timeout_;
  std::int64_t max_message_;
  int in_flight_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::FunctionService::StubInterface> stub_;
  grpc::internal::RpcMethod stream_method_;
  grpc::internal::RpcMethod batch_method_;
  Places places_;
  std::stop_source closing_;
};

/// A place among the calls on their way, while it lives.
class Place {
 public:
  Place(Connection& connection, const std::optional<Instant>& deadline, const std::stop_token& stop)
      : connection_(connection) {
    connection_.take_place(deadline, stop);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { connection_.give_place(); }

 private:
  Connection& connection_;
};

/// One RPC's context: has the deadline and the metadata, and is cancelled when its caller says so or the Gate is
/// closed.
class Rpc {
 public:
  /// @throws GateError if there is no time left, or the call is cancelled or the Gate closed already.
  Rpc(const Connection& connection, const std::optional<Instant>& deadline, const std::stop_token& stop);

  /// For the stub.
  grpc::ClientContext& context() { return context_; }

 private:
  struct Cancel {
    grpc::ClientContext& context;
    void operator()() const { context.TryCancel(); }
  };

  grpc::ClientContext context_;
  // After the context, so that they are gone before it is.
  std::optional<std::stop_callback<Cancel>> on_stop_;
  std::optional<std::stop_callback<Cancel>> on_close_;
};

/// A call's request. `at` is put before the paths of its errors.
/// @throws ValueFormError if an argument, or a name, cannot be sent.
void fill_request(v1::CallFunctionRequest& request, std::string_view module, std::string_view function,
                  const Args& args, const Kwargs& kwargs, std::string_view at = {});

}  // namespace callgate::internal
