// Places from the inside: never more holders than places, nobody forgotten.
#include "places.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "callgate/v1/function_service.pb.h"
#include "wire.h"

namespace {

using callgate::internal::Instant;
using callgate::internal::Places;
using std::chrono::steady_clock;

constexpr std::chrono::seconds long_wait(60);

Instant in(std::chrono::microseconds time) { return steady_clock::now() + time; }

TEST(Places, ManyThreadsTakeFew) {
  constexpr int count = 3;
  constexpr int threads_number = 16;
  constexpr int rounds = 3000;
  Places places(count);
  std::atomic<int> holders = 0;
  std::atomic<int> most = 0;
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < threads_number; ++number) {
      threads.emplace_back([&, number] {
        for (int round = 0; round < rounds; ++round) {
          // Some give up at once or soon, and take again: their notice must not be lost to those that wait.
          const bool impatient = (round + number) % 3 == 0;
          Places::Taken taken = places.take(impatient ? in(std::chrono::microseconds(round % 50)) : in(long_wait), {});
          if (impatient && taken == Places::Taken::too_late) continue;
          if (taken != Places::Taken::yes) {
            ++failed;
            return;
          }
          const int now = ++holders;
          int before = most;
          while (before < now && !most.compare_exchange_weak(before, now)) {
          }
          if (round % 7 == 0) std::this_thread::yield();
          --holders;
          places.give();
        }
      });
    }
  }
  EXPECT_EQ(failed, 0);
  EXPECT_LE(most, count);
  for (int number = 0; number < count; ++number) EXPECT_EQ(places.take(in({}), {}), Places::Taken::yes);
  EXPECT_EQ(places.take(in({}), {}), Places::Taken::too_late);
}

TEST(Places, AStopAndACloseEndTheWait) {
  Places places(1);
  ASSERT_EQ(places.take({}, {}), Places::Taken::yes);
  std::stop_source stop;
  Places::Taken stopped{};
  Places::Taken closed{};
  std::jthread one([&] { stopped = places.take({}, stop.get_token()); });
  std::jthread other([&] { closed = places.take(in(long_wait), {}); });
  stop.request_stop();
  one.join();
  EXPECT_EQ(stopped, Places::Taken::stopped);
  places.close();
  other.join();
  EXPECT_EQ(closed, Places::Taken::closed);
  places.give();
  EXPECT_EQ(places.take({}, {}), Places::Taken::closed);
}

TEST(Kept, AThreadsRequestBeginsEmpty) {
  using Kept = callgate::internal::Kept<callgate::v1::CallFunctionRequest>;
  const auto* kept = [] {
    Kept first;
    first.message().set_module("math");
    first.message().add_args()->set_double_value(1);
    first.sized(first.message().ByteSizeLong());
    return &first.message();
  }();
  {
    Kept failed;  // whose size nobody said, since filling it threw
    EXPECT_EQ(&failed.message(), kept);
    EXPECT_EQ(failed.message().ByteSizeLong(), 0U);
    failed.message().set_function("sqrt");
  }
  {
    Kept large;
    EXPECT_EQ(large.message().ByteSizeLong(), 0U);
    large.message().add_args()->set_bytes_value(std::string(100'000, 'x'));
    EXPECT_GT(large.sized(large.message().ByteSizeLong()), 100'000U);
  }
  Kept after;
  EXPECT_EQ(after.message().ByteSizeLong(), 0U);
  EXPECT_LT(after.message().SpaceUsedLong(), 1000U);
  std::jthread([&] { EXPECT_NE(&Kept().message(), &after.message()); });
}

}  // namespace
