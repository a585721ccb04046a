// What there is to call.
#include "callgate/functions.h"

#include "callgate/gate.h"
#include "connection.h"
#include "utf8.h"

namespace callgate {

namespace {

FunctionInfo info_of(const v1::Function& from) {
  FunctionInfo made;
  made.module = from.module();
  made.function = from.function();
  made.signature = from.signature();
  for (const auto& parameter : from.parameters()) {
    made.parameters.push_back({parameter.name(), static_cast<ParameterKind>(parameter.kind()), parameter.type(),
                               parameter.default_repr(), parameter.required()});
  }
  made.return_type = from.return_type();
  made.doc = from.doc();
  made.kind = static_cast<FunctionKind>(from.kind());
  made.executor = from.executor();
  made.executor_kind = from.executor_kind();
  made.executor_note = from.executor_note();
  if (from.has_timeout()) {
    made.timeout = std::chrono::seconds(from.timeout().seconds()) + std::chrono::nanoseconds(from.timeout().nanos());
  }
  return made;
}

std::string checked_name(std::string_view name, const char* what) {
  if (!internal::is_utf8(name)) throw ValueFormError("a name is not UTF-8", what);
  return std::string(name);
}

}  // namespace

std::vector<FunctionInfo> Gate::functions(std::string_view module, const CallOptions& options) const {
  const auto deadline = connection_->deadline(options.timeout);
  std::vector<FunctionInfo> made;
  v1::ListFunctionsRequest request;
  request.set_module(checked_name(module, "module"));
  v1::ListFunctionsResponse page;
  do {
    internal::Rpc rpc(*connection_, deadline, options.stop);
    const grpc::Status status = connection_->stub().ListFunctions(&rpc.context(), request, &page);
    if (!status.ok()) std::rethrow_exception(connection_->error_of(status, rpc.context()));
    for (const auto& function : page.functions()) made.push_back(info_of(function));
    request.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  return made;
}

FunctionInfo Gate::function(std::string_view module, std::string_view function, const CallOptions& options) const {
  const auto deadline = connection_->deadline(options.timeout);
  v1::GetFunctionRequest request;
  request.set_module(checked_name(module, "module"));
  request.set_function(checked_name(function, "function"));
  internal::Rpc rpc(*connection_, deadline, options.stop);
  v1::GetFunctionResponse response;
  const grpc::Status status = connection_->stub().GetFunction(&rpc.context(), request, &response);
  if (!status.ok()) std::rethrow_exception(connection_->error_of(status, rpc.context()));
  return info_of(response.function());
}

}  // namespace callgate
