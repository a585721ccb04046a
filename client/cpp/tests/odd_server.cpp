#include "odd_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

namespace odd_server {

namespace {

// Reads the request, writes the messages, finishes.
class Reactor : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(const Answer& answer, grpc::GenericCallbackServerContext& context) : answer_(answer) {
    for (const auto& [name, value] : answer.trailing) context.AddTrailingMetadata(name, value);
    StartRead(&request_);
  }
  void OnReadDone(bool /*ok*/) override { next(); }
  void OnWriteDone(bool /*ok*/) override { next(); }
  void OnDone() override { delete this; }

 private:
  void next() {
    if (written_ == answer_.messages.size()) {
      Finish(answer_.status);
      return;
    }
    const grpc::Slice slice(answer_.messages[written_++]);
    message_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&message_);
  }

  const Answer& answer_;
  std::size_t written_ = 0;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer message_;
};

}  // namespace

OddServer::OddServer(Answer answer) : answer_(std::move(answer)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterCallbackGenericService(this);
  server_ = builder.BuildAndStart();
}

OddServer::~OddServer() { server_->Shutdown(std::chrono::system_clock::now()); }

std::multimap<std::string, std::string> OddServer::metadata() {
  const std::lock_guard lock(mutex_);
  return metadata_;
}

grpc::ServerGenericBidiReactor* OddServer::CreateReactor(grpc::GenericCallbackServerContext* context) {
  {
    const std::lock_guard lock(mutex_);
    metadata_.clear();
    for (const auto& [name, value] : context->client_metadata()) {
      metadata_.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    }
  }
  return new Reactor(answer_, *context);
}

}  // namespace odd_server
