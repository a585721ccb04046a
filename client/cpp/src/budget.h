// What is left of the limits while one message is converted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "callgate/codec.h"
#include "callgate/value_error.h"

namespace callgate::internal {

/// A container at a depth that is a multiple of this is serialized on its own (Value.nested_value): one level takes at
/// most three messages, and protobuf's parsers take 100. See docs/adr/0003-deep-values.md.
constexpr int nesting_stride = 20;

/// Counts down; used for one message. `Failure` is what it throws: ValueFormError or ValueDecodeError.
template <class Failure>
class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits), elements_(limits.elements), bytes_(limits.bytes) {}

  /// Takes a container of `count` elements at `depth` (1 is the outermost).
  void enter(int depth, std::size_t count) {
    if (depth > limits_.depth) {
      refuse("nested more than " + std::to_string(limits_.depth) + " levels deep", limits_.depth);
    }
    if (count > static_cast<std::uint64_t>(elements_)) {
      refuse("more than " + std::to_string(limits_.elements) + " elements in all", limits_.elements);
    }
    elements_ -= static_cast<std::int64_t>(count);
  }

  /// Takes bytes of a string or array.
  void spend(std::size_t count) {
    if (count > static_cast<std::uint64_t>(bytes_)) {
      refuse("more than " + std::to_string(limits_.bytes) + " bytes in all", limits_.bytes);
    }
    bytes_ -= static_cast<std::int64_t>(count);
  }

  /// Elements that are left.
  std::int64_t elements() const { return elements_; }
  /// What it started from.
  const Limits& limits() const { return limits_; }

  /// How many Values serialized on their own are being decoded, one inside the other.
  int nested = 0;

 private:
  [[noreturn]] static void refuse(const std::string& problem, std::int64_t limit);

  Limits limits_;
  std::int64_t elements_;
  std::int64_t bytes_;
};

template <>
[[noreturn]] inline void Budget<ValueFormError>::refuse(const std::string& problem, std::int64_t /*limit*/) {
  throw ValueFormError(problem);
}

template <>
[[noreturn]] inline void Budget<ValueDecodeError>::refuse(const std::string& problem, std::int64_t limit) {
  throw ValueDecodeError(problem, {}, limit);
}

}  // namespace callgate::internal
