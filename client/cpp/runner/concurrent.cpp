// Many callers at once, each of which knows the answer to each of its calls.
#include <atomic>
#include <mutex>
#include <sstream>
#include <thread>

#include "gates.h"

namespace runner {

namespace {

struct Expected {
  callgate::Call call;
  callgate::Value answer;
};

Expected expected(std::int64_t caller, std::int64_t at, std::int64_t calls) {
  const std::int64_t n = caller * calls + at;
  const auto number = static_cast<double>(n);
  switch (n % 4) {
    case 0:
      return {{"math", "sqrt", {number * number}}, number};
    case 1:
      return {{"json", "dumps", {callgate::List{n, "x"}}}, "[" + std::to_string(n) + ", \"x\"]"};
    case 2:
      return {{"builtins", "abs", {-n}}, n};
    default: {
      const callgate::Dict both{{"caller", caller}, {"call", at}};
      return {{"conformance_functions", "echo", {both}}, both};
    }
  }
}

class Wrong {
 public:
  void add(const callgate::Call& call, const std::string& got, const callgate::Value& wanted) {
    constexpr std::size_t most = 10;
    const std::lock_guard lock(mutex_);
    if (sentences_.size() >= most) return;
    std::ostringstream sentence;
    sentence << call.module << "." << call.function << "(" << call.args.values().front() << ") gave " << got
             << " instead of " << wanted;
    sentences_.push_back(sentence.str());
  }
  const Json& sentences() const { return sentences_; }

 private:
  std::mutex mutex_;
  Json sentences_ = Json::array();
};

}  // namespace

Json concurrent(Opened& opened, const Json& request) {
  const auto callers = request.at("callers").get<std::int64_t>();
  const auto calls = request.at("calls").get<std::int64_t>();
  std::atomic<std::int64_t> made = 0;
  Wrong wrong;
  {
    std::vector<std::jthread> threads;
    for (std::int64_t caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, caller] {
        for (std::int64_t at = 0; at < calls; ++at) {
          const auto [call, answer] = expected(caller, at, calls);
          try {
            const auto got = opened.gate.call(call.module, call.function, call.args);
            if (!(got == answer)) wrong.add(call, callgate::repr(got), answer);
          } catch (const std::exception& error) {
            wrong.add(call, error.what(), answer);
          }
          ++made;
        }
      });
    }
  }
  return {{"made", made.load()}, {"wrong", wrong.sentences()}};
}

}  // namespace runner
