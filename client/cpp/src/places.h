// The places of the calls that one Gate has on their way at once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>

namespace callgate::internal {

using Instant = std::chrono::steady_clock::time_point;

/// So many places; whoever finds none waits. (std::counting_semaphore can be neither stopped nor closed.)
class Places {
 public:
  explicit Places(int count) : free_(count) {}

  /// How waiting for a place ended.
  enum class Taken { yes, too_late, stopped, closed };

  /// Takes a place, waiting for one until the instant, if there is one.
  Taken take(const std::optional<Instant>& until, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return free_ > 0 || closed_; };
    if (!ready()) {
      if (until) {
        changed_.wait_until(lock, stop, *until, ready);
      } else {
        changed_.wait(lock, stop, ready);
      }
    }
    if (closed_) return Taken::closed;
    if (free_ > 0) {
      --free_;
      return Taken::yes;
    }
    return stop.stop_requested() ? Taken::stopped : Taken::too_late;
  }

  /// Gives a place back.
  void give() {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
    }
    changed_.notify_one();
  }

  /// Wakes all that wait; nobody gets a place any more.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int free_;
  bool closed_ = false;
};

}  // namespace callgate::internal
