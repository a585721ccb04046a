// The wrapper beside the bare stub: one call in a loop from each of so many callers.
#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#include <grpcpp/create_channel.h>

#include "callgate/v1/function_service.grpc.pb.h"
#include "gates.h"

namespace runner {

namespace {

using Clock = std::chrono::steady_clock;

// One call, and whether its answer was right.
using Once = std::function<bool()>;

Once wrapper(Opened& opened) {
  return [&gate = opened.gate] { return gate.call("math", "sqrt", {16.0}).as<double>() == 4.0; };
}

Once bare_stub(const Opened& opened) {
  namespace v1 = callgate::v1;
  if (opened.options.ca || !opened.options.token.value_or("").empty()) {
    throw std::invalid_argument("the bare stub is measured without TLS and token");
  }
  const std::shared_ptr<v1::FunctionService::Stub> stub =
      v1::FunctionService::NewStub(grpc::CreateChannel(opened.target, grpc::InsecureChannelCredentials()));
  v1::CallFunctionRequest request;
  request.set_module("math");
  request.set_function("sqrt");
  request.add_args()->set_double_value(16.0);
  return [stub, request] {
    grpc::ClientContext context;
    v1::CallFunctionResponse response;
    return stub->CallFunction(&context, request, &response).ok() && response.value().double_value() == 4.0;
  };
}

double percentile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))];
}

}  // namespace

Json bench(Opened& opened, const Json& request) {
  const auto callers = request.at("callers").get<std::size_t>();
  const callgate::Seconds seconds(request.at("seconds").get<double>());
  const Once once = request.at("what").get<std::string>() == "stub" ? bare_stub(opened) : wrapper(opened);
  if (!once()) throw std::runtime_error("math.sqrt(16.0) is not 4.0 here");  // connects, too

  std::vector<std::vector<double>> latencies(callers);
  std::vector<std::string> problems(callers);
  const auto began = Clock::now();
  const auto until = began + std::chrono::duration_cast<Clock::duration>(seconds);
  {
    std::vector<std::jthread> threads;
    for (std::size_t caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, caller] {
        try {
          for (auto from = Clock::now(); from < until;) {
            if (!once()) throw std::runtime_error("a call failed, or its answer is wrong");
            const auto to = Clock::now();
            latencies[caller].push_back(callgate::Seconds(to - from).count());
            from = to;
          }
        } catch (const std::exception& error) {
          problems[caller] = error.what();
        }
      });
    }
  }
  const double took = callgate::Seconds(Clock::now() - began).count();
  for (const auto& problem : problems) {
    if (!problem.empty()) throw std::runtime_error(problem);
  }
  std::vector<double> all;
  for (const auto& each : latencies) all.insert(all.end(), each.begin(), each.end());
  std::sort(all.begin(), all.end());
  return {{"calls", all.size()}, {"seconds", took}, {"p50", percentile(all, 0.5)}, {"p99", percentile(all, 0.99)}};
}

}  // namespace runner
