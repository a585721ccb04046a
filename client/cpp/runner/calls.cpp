// Calls, streams, batches, and what there is to call.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "gates.h"

namespace runner {

namespace {

callgate::Args args_of(const Json& request) {
  std::vector<callgate::Value> made;
  for (const auto& hex : request.value("args", Json::array())) made.push_back(value_of(hex.get<std::string>()));
  return callgate::Args(std::move(made));
}

callgate::Kwargs kwargs_of(const Json& request) {
  callgate::Kwargs made;
  const Json given = request.value("kwargs", Json::object());
  for (const auto& [name, hex] : given.items()) {
    made.emplace(name, value_of(hex.get<std::string>()));
  }
  return made;
}

std::optional<callgate::Seconds> seconds_of(const Json& request, const char* key) {
  const auto number = optional<double>(request, key);
  return number ? std::optional(callgate::Seconds(*number)) : std::nullopt;
}

// Cancels a call after a while, unless it has gone before.
class Cancelling {
 public:
  explicit Cancelling(const std::optional<callgate::Seconds>& after) {
    if (!after) return;
    thread_ = std::jthread([this, after = *after](const std::stop_token& done) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, done, after, [] { return false; });
      if (!done.stop_requested()) source_.request_stop();
    });
  }

  std::stop_token token() const { return thread_.joinable() ? source_.get_token() : std::stop_token(); }

 private:
  std::stop_source source_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses the others
};

Json info_of(const callgate::FunctionInfo& info) {
  return {{"module", info.module},
          {"function", info.function},
          {"signature", info.signature},
          {"doc", info.doc},
          {"executor", info.executor}};
}

std::string text(const Json& request, const char* key) { return request.at(key).get<std::string>(); }

}  // namespace

Json call(Opened& opened, const Json& request) {
  const auto args = args_of(request);
  const auto kwargs = kwargs_of(request);
  const Cancelling cancelling(seconds_of(request, "cancel_after"));
  const auto began = std::chrono::steady_clock::now();
  Json made;
  try {
    const auto value = opened.gate.call(text(request, "module"), text(request, "function"), args, kwargs,
                                        {.timeout = seconds_of(request, "timeout"), .stop = cancelling.token()});
    made["value"] = hex_of(value);
  } catch (const callgate::Error& error) {
    made["failure"] = failure_of(error);
  }
  made["seconds"] = callgate::Seconds(std::chrono::steady_clock::now() - began).count();
  return made;
}

Json stream(Opened& opened, const Json& request) {
  const auto args = args_of(request);
  const auto kwargs = kwargs_of(request);
  const auto take = optional<std::size_t>(request, "take");
  const Cancelling cancelling(seconds_of(request, "cancel_after"));
  Json values = Json::array();
  Json failure = nullptr;
  try {
    auto items = opened.gate.stream(text(request, "module"), text(request, "function"), args, kwargs,
                                    {.timeout = seconds_of(request, "timeout"), .stop = cancelling.token()});
    while (!take || values.size() < *take) {
      const auto item = items.next();
      if (!item) break;
      values.push_back(hex_of(*item));
    }
    items.close();
  } catch (const callgate::Error& error) {
    failure = failure_of(error);
  }
  return {{"values", values}, {"failure", failure}};
}

Json batch(Opened& opened, const Json& request) {
  std::vector<callgate::Call> calls;
  for (const auto& each : request.at("calls")) {
    calls.push_back({text(each, "module"), text(each, "function"), args_of(each), kwargs_of(each)});
  }
  try {
    Json results = Json::array();
    for (const auto& outcome : opened.gate.batch(
             calls, {.timeout = seconds_of(request, "timeout"), .call_timeout = seconds_of(request, "call_timeout")})) {
      try {
        results.push_back({{"value", hex_of(outcome.value())}});
      } catch (const callgate::Error& error) {
        results.push_back({{"failure", failure_of(error)}});
      }
    }
    return {{"results", results}};
  } catch (const callgate::Error& error) {
    return {{"failure", failure_of(error)}};
  }
}

Json list(Opened& opened, const Json& request) {
  try {
    Json functions = Json::array();
    for (const auto& info : opened.gate.functions(optional<std::string>(request, "module").value_or(""))) {
      functions.push_back(info_of(info));
    }
    return {{"functions", functions}};
  } catch (const callgate::Error& error) {
    return {{"failure", failure_of(error)}};
  }
}

Json describe(Opened& opened, const Json& request) {
  try {
    return {{"function", info_of(opened.gate.function(text(request, "module"), text(request, "function")))}};
  } catch (const callgate::Error& error) {
    return {{"failure", failure_of(error)}};
  }
}

}  // namespace runner
