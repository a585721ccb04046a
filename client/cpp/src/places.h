// The places of the calls that one Gate has on their way at once.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>

namespace callgate::internal {

using Instant = std::chrono::steady_clock::time_point;

/// So many places; whoever finds none waits. (std::counting_semaphore can be neither stopped nor closed.)
///
/// Invariant: while there are places, taking and giving one is one step on `free_`, and nobody is woken. Who waits says
/// so in `waiting_` before it looks for a place again, and who gives one looks at `waiting_` after: all in one order
/// (seq_cst), so one of the two sees the other.
class Places {
 public:
  explicit Places(int count) : free_(count) {}

  /// How waiting for a place ended.
  enum class Taken { yes, too_late, stopped, closed };

  /// Takes a place, waiting for one until the instant, if there is one.
  Taken take(const std::optional<Instant>& until, const std::stop_token& stop) {
    if (closed_) return Taken::closed;
    return take_free() ? Taken::yes : wait(until, stop);
  }

  /// Gives a place back.
  void give() {
    ++free_;
    if (waiting_ == 0) return;
    const std::lock_guard lock(mutex_);  // so that who looked, and found none, waits by now
    changed_.notify_one();
  }

  /// Wakes all that wait; nobody gets a place any more.
  void close() {
    closed_ = true;
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

 private:
  bool take_free() {
    int free = free_;
    while (free > 0) {
      if (free_.compare_exchange_weak(free, free - 1)) return true;
    }
    return false;
  }

  Taken wait(const std::optional<Instant>& until, const std::stop_token& stop) {
    bool taken = false;
    std::unique_lock lock(mutex_);
    ++waiting_;
    const auto ready = [&] { return closed_ || (taken = take_free()); };
    if (until) {
      changed_.wait_until(lock, stop, *until, ready);
    } else {
      changed_.wait(lock, stop, ready);
    }
    --waiting_;
    if (taken) return Taken::yes;
    if (closed_) return Taken::closed;
    return stop.stop_requested() ? Taken::stopped : Taken::too_late;
  }

  std::atomic<int> free_;
  std::atomic<int> waiting_ = 0;
  std::atomic<bool> closed_ = false;
  std::mutex mutex_;
  std::condition_variable_any changed_;
};

}  // namespace callgate::internal
