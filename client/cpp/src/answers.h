// The answers of an RPC that streams them.
#pragma once

#include <memory>

#include <grpcpp/channel.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>

#include "connection.h"

namespace callgate::internal {

/// Messages one by one. The generated stub's reader ends in the same way at the stream's end and at a message that does
/// not parse, and would take the one for the other: this one reads bytes, and parses them itself.
template <class Response>
class Answers {
 public:
  template <class Request>
  Answers(Connection& connection, const grpc::internal::RpcMethod& method, grpc::ClientContext& context,
          const Request& request)
      : context_(context),
        reader_(grpc::internal::ClientReaderFactory<grpc::ByteBuffer>::Create(&connection.channel(), method, &context,
                                                                              request)) {}

  /// The next one; false at the end. @throws GateError if it is none.
  bool next(Response& response) {
    grpc::ByteBuffer bytes;
    if (!reader_->Read(&bytes)) return false;
    if (grpc::SerializationTraits<Response>::Deserialize(&bytes, &response).ok()) return true;
    throw GateError({.code = Code::internal, .message = no_message});
  }

  /// How the RPC ended, once next() gave false.
  grpc::Status finish() { return reader_->Finish(); }

  /// Ends it now.
  void cancel() {
    context_.TryCancel();
    reader_->Finish();  // at once, since it is cancelled; gRPC wants its end to be waited for
  }

 private:
  grpc::ClientContext& context_;
  std::unique_ptr<grpc::ClientReader<grpc::ByteBuffer>> reader_;
};

}  // namespace callgate::internal
