// Values ↔ messages.
#pragma once

#include <cstddef>
#include <string_view>

#include "callgate/codec.h"
#include "callgate/v1/value.pb.h"

namespace callgate::internal {

/// A thread's message for its requests, one at a time, whose parts are kept for the next one: a dozen allocations fewer
/// a call. A large one is not kept.
template <class Message>
class Kept {
 public:
  Kept() = default;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    if (small_) {
      message_.Clear();
    } else {
      message_ = Message();
    }
  }

  /// The message, empty at first.
  Message& message() { return message_; }
  /// Says how large it became. @returns that.
  std::size_t sized(std::size_t bytes) {
    small_ = bytes <= kept_bytes;
    return bytes;
  }

 private:
  static constexpr std::size_t kept_bytes = 256;  // arbitrary: most requests

  static Message& of_thread() {
    thread_local Message message;
    return message;
  }

  Message& message_ = of_thread();
  bool small_ = false;
};

/// Fills a message, fresh, with a value. @throws ValueFormError, whose path starts with `path`.
void encode_into(const Value& value, v1::Value& target, std::string_view path, const Limits& limits = {});

/// Makes a value of a message, whose strings are moved out. @throws ValueDecodeError, whose path starts with `path`.
Value decode_from(v1::Value& message, std::string_view path, const Limits& limits = {});

}  // namespace callgate::internal
