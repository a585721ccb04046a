// The conformance runner: one JSON object a line in, one out. See tests/conformance/README.md.
#include <iostream>
#include <string>

#include <grpcpp/grpcpp.h>

#include "gates.h"

namespace {

using runner::Json;

Json hello() {
  return {{"language", "cpp"}, {"version", "C++20, GCC " __VERSION__}, {"grpc", "grpc++ " + grpc::Version()}};
}

Json value(const Json& request) {
  try {
    return {{"value", runner::hex_of(runner::value_of(request.at("value").get<std::string>()))}};
  } catch (const callgate::Error& error) {
    return {{"failure", runner::failure_of(error)}};
  }
}

Json answer(runner::Gates& gates, const Json& request) {
  const auto op = request.at("op").get<std::string>();
  if (op == "hello") return hello();
  if (op == "value") return value(request);
  if (op == "connect") return runner::connect(gates, request);
  if (op == "close") return runner::close(gates, request);
  if (op == "shared") return {{"unsupported", "the C++ client has batches, and none that callers share by themselves"}};
  using Handler = Json (*)(runner::Opened&, const Json&);
  static const std::map<std::string, Handler> handlers{
      {"call", runner::call},  {"stream", runner::stream},     {"batch", runner::batch},
      {"list", runner::list},  {"describe", runner::describe}, {"concurrent", runner::concurrent},
      {"bench", runner::bench}};
  const auto found = handlers.find(op);
  if (found == handlers.end()) return {{"fault", "unknown op " + op}};
  return found->second(runner::gate_of(gates, request), request);
}

}  // namespace

int main() {
  runner::Gates gates;
  for (std::string line; std::getline(std::cin, line);) {
    Json id = nullptr;
    Json made;
    try {
      const Json request = Json::parse(line);
      id = request.value("id", Json(nullptr));
      made = answer(gates, request);
    } catch (const std::exception& error) {
      made = {{"fault", error.what()}};
    }
    made["id"] = id;
    std::cout << made.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }
  return 0;
}
