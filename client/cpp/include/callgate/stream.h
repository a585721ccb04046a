// The items of a remote generator.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>

#include "callgate/value.h"

namespace callgate {

namespace internal {
class StreamState;
}

/// The items of a stream, one by one; destroying or closing it closes the generator on the server. To be used by one
/// thread at a time; from another, cancel it by its CallOptions' stop token.
class Stream {
 public:
  /// Takes over another's items.
  Stream(Stream&&) noexcept;
  /// Takes over another's items; closes its own.
  Stream& operator=(Stream&&) noexcept;
  /// Closes it.
  ~Stream();

  /// The next item, nothing at the end.
  /// @throws PythonError if the function raised, after the items before that; GateError if it could not be reached, or
  /// no longer; ValueDecodeError for an item that is no value.
  std::optional<Value> next();

  /// Cancels what has not ended; there are no more items then. Closing again does nothing.
  void close() noexcept;

  /// An input iterator over the items: next() by other means.
  class Iterator {
   public:
    /// What it gives.
    using value_type = Value;
    /// Needed by the standard's concepts; there are no differences.
    using difference_type = std::ptrdiff_t;

    /// Of no stream: at its end.
    Iterator() = default;
    /// At the next item.
    explicit Iterator(Stream& stream) : stream_(&stream) { ++*this; }
    /// The item.
    Value& operator*() const { return *item_; }
    /// Goes to the next item; throws as next().
    Iterator& operator++() {
      item_ = stream_->next();
      return *this;
    }
    /// Goes to the next item; throws as next().
    void operator++(int) { ++*this; }
    /// Whether there are no more.
    bool operator==(std::default_sentinel_t) const { return !item_; }

   private:
    Stream* stream_ = nullptr;
    mutable std::optional<Value> item_;
  };

  /// The items that are left, for a range-based for; throws as next().
  Iterator begin() { return Iterator(*this); }
  /// Their end.
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class Gate;
  explicit Stream(std::unique_ptr<internal::StreamState> state);

  std::unique_ptr<internal::StreamState> state_;
};

}  // namespace callgate
