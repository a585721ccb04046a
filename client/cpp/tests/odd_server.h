// A gRPC server that is no Callgate server: it answers every request with the bytes that a test tells it to.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace odd_server {

/// What to answer.
struct Answer {
  /// The messages, serialized.
  std::vector<std::string> messages{};
  /// How it ends.
  grpc::Status status{};
  /// The trailing metadata.
  std::map<std::string, std::string> trailing{};
};

/// The server; on a free port of loopback.
class OddServer : public grpc::CallbackGenericService {
 public:
  explicit OddServer(Answer answer);
  ~OddServer() override;

  /// "127.0.0.1:PORT".
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// The metadata of the last request.
  std::multimap<std::string, std::string> metadata();

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

  Answer answer_;
  std::mutex mutex_;
  std::multimap<std::string, std::string> metadata_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace odd_server
