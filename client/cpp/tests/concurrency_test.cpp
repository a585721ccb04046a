// One Gate, many threads: no answer goes to another's call.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <thread>

#include "callgate/callgate.h"
#include "server.h"

namespace {

using callgate::Value;

constexpr std::int64_t callers = 64;

// Fewer where a sanitizer makes each call many times dearer.
std::int64_t calls_each() {
  const char* told = std::getenv("CALLGATE_TEST_CALLS");
  return told != nullptr ? std::atoll(told) : 1000;
}

TEST(Concurrency, SixtyFourCallersGetTheirOwnAnswers) {
  const callgate::Gate gate(testing_server::shared_server().address(), {.token = ""});
  const std::int64_t calls = calls_each();
  std::atomic<std::int64_t> made = 0;
  std::mutex mutex;
  std::vector<std::string> wrong;
  const auto expect = [&](const Value& got, const Value& wanted) {
    ++made;
    if (got == wanted) return;
    std::ostringstream sentence;
    sentence << got << " instead of " << wanted;
    const std::lock_guard lock(mutex);
    wrong.push_back(sentence.str());
  };
  {
    std::vector<std::jthread> threads;
    for (std::int64_t caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, caller] {
        try {
          for (std::int64_t at = 0; at < calls; ++at) {
            const std::int64_t n = caller * calls + at;
            const auto number = static_cast<double>(n);
            const callgate::Dict both{{"caller", caller}, {"call", at}};
            if (n % 4 == 0) expect(gate.call("math", "sqrt", {number * number}), number);
            if (n % 4 == 1) {
              expect(gate.call("json", "dumps", {callgate::List{n, "x"}}), "[" + std::to_string(n) + ", \"x\"]");
            }
            if (n % 4 == 2) expect(gate.call("builtins", "abs", {-n}), n);
            if (n % 4 == 3) expect(gate.call("served", "echo", {both}), both);
          }
        } catch (const std::exception& error) {
          const std::lock_guard lock(mutex);
          wrong.emplace_back(error.what());
        }
      });
    }
  }
  EXPECT_EQ(made, callers * calls);
  EXPECT_EQ(wrong.size(), 0U) << wrong.front();
}

}  // namespace
