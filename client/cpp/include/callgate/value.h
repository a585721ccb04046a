// Value: whatever Python can send or take.
#pragma once

#include <chrono>
#include <complex>
#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "callgate/buffers.h"
#include "callgate/containers.h"
#include "callgate/scalars.h"
#include "callgate/temporal.h"

namespace callgate {

namespace internal {

/// Holds a large kind outside of the variant, so that a Value stays small; copies deeply.
template <class T>
class Box {
 public:
  explicit Box(T value) : held_(std::make_unique<T>(std::move(value))) {}
  Box(const Box& other) : held_(other.held_ ? std::make_unique<T>(*other.held_) : nullptr) {}
  Box(Box&&) noexcept = default;
  Box& operator=(const Box& other) {
    if (this != &other) held_ = other.held_ ? std::make_unique<T>(*other.held_) : nullptr;
    return *this;
  }
  Box& operator=(Box&&) noexcept = default;
  ~Box() = default;

  T& operator*() { return *held_; }
  const T& operator*() const { return *held_; }

 private:
  std::unique_ptr<T> held_;
};

template <class T>
struct Stored {
  using type = T;
};
template <class T>
requires std::same_as<T, TimeOfDay> || std::same_as<T, DateTime> || std::same_as<T, Tensor> ||
    std::same_as<T, ArrowStream> || std::same_as<T, Record>
struct Stored<T> {
  using type = Box<T>;
};

template <class T>
const T& unbox(const T& held) {
  return held;
}
template <class T>
const T& unbox(const Box<T>& held) {
  return *held;
}
template <class T>
T& unbox(T& held) {
  return held;
}
template <class T>
T& unbox(Box<T>& held) {
  return *held;
}

template <class T, class... Ts>
concept OneOf = (std::same_as<T, Ts> || ...);

template <class T>
concept Character = OneOf<T, char, wchar_t, char8_t, char16_t, char32_t>;

}  // namespace internal

/// The types that a Value holds, one for each type of Python's.
template <class T>
concept Kind = internal::OneOf<T, std::monostate, bool, std::int64_t, BigInt, double, std::string, SurrogateString,
                               Bytes, List, Tuple, Set, FrozenSet, Dict, std::complex<double>, Decimal, Date, TimeOfDay,
                               DateTime, TimeDelta, Uuid, Tensor, ArrowStream, Record>;

/// Integers that become an int.
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !internal::Character<T>;

/// One value of Python's: exactly one of the types in Kind. A value type: copies are deep, moves cheap.
class Value {
 public:
  /// None.
  Value() = default;
  /// None.
  Value(std::nullptr_t) {}
  /// None.
  Value(std::monostate) {}

  /// A bool; nothing else converts to one.
  template <std::same_as<bool> T>
  Value(T value) : storage_(std::in_place_type<bool>, value) {}

  /// An int.
  template <Integer T>
  Value(T value) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t)) {
      set_unsigned(value);
    } else {
      storage_.emplace<std::int64_t>(value);
    }
  }

  /// A float.
  template <std::floating_point T>
  Value(T value) : storage_(std::in_place_type<double>, static_cast<double>(value)) {}

  /// A str, UTF-8; None for a null pointer.
  Value(const char* text);
  /// A str, UTF-8.
  Value(std::string_view text) : storage_(std::in_place_type<std::string>, text) {}

  /// An int; within 64 bits it is held as std::int64_t.
  Value(BigInt value);
  /// A str; without surrogates it is held as std::string.
  Value(SurrogateString value);

  /// A value of the type that stands for it.
  template <Kind T>
  requires(!internal::OneOf<T, std::monostate, bool, std::int64_t, double, BigInt, SurrogateString>) Value(T value)
      : storage_(std::in_place_type<typename internal::Stored<T>::type>, std::move(value)) {}

  /// A list of the elements.
  template <class T>
  requires(!std::same_as<T, Value>) Value(const std::vector<T>& elements) {
    auto& made = storage_.emplace<List>();
    made.reserve(elements.size());
    for (const auto& element : elements) made.emplace_back(static_cast<const T&>(element));
  }

  /// A dict of the entries, in the map's order.
  template <class K, class V>
  Value(const std::map<K, V>& entries) {
    auto& made = storage_.emplace<Dict>();
    made.entries.reserve(entries.size());
    for (const auto& [key, value] : entries) made.entries.emplace_back(Value(key), Value(value));
  }

  /// A tuple of the elements.
  template <class... Ts>
  Value(const std::tuple<Ts...>& elements) {
    auto& made = storage_.emplace<Tuple>();
    made.items.reserve(sizeof...(Ts));
    std::apply([&](const auto&... each) { (made.items.emplace_back(each), ...); }, elements);
  }

  /// The value, or None.
  template <class T>
  Value(const std::optional<T>& value) {
    if (value) *this = Value(*value);
  }

  /// A date.
  Value(std::chrono::year_month_day day) : Value(Date::from(day)) {}

  /// A timedelta; what is finer than a microsecond is rounded down.
  template <class Rep, class Period>
  Value(std::chrono::duration<Rep, Period> span)
      : Value(TimeDelta::from(std::chrono::floor<std::chrono::microseconds>(span))) {}

  /// A datetime in UTC; what is finer than a microsecond is rounded down.
  template <class Duration>
  Value(std::chrono::sys_time<Duration> instant)
      : Value(DateTime::from(std::chrono::floor<std::chrono::microseconds>(instant))) {}

  /// A naive datetime; what is finer than a microsecond is rounded down.
  template <class Duration>
  Value(std::chrono::local_time<Duration> wall_clock)
      : Value(DateTime::from(std::chrono::floor<std::chrono::microseconds>(wall_clock))) {}

  /// Whether it is exactly of that kind.
  template <Kind T>
  bool is() const {
    return std::holds_alternative<typename internal::Stored<T>::type>(storage_);
  }

  /// Whether it is None.
  bool is_none() const { return is<std::monostate>(); }

  /// What it holds, if it is exactly of that kind, else null.
  template <Kind T>
  const T* get_if() const {
    const auto* held = std::get_if<typename internal::Stored<T>::type>(&storage_);
    return held != nullptr ? &internal::unbox(*held) : nullptr;
  }

  /// What it holds, if it is exactly of that kind, else null.
  template <Kind T>
  T* get_if() {
    auto* held = std::get_if<typename internal::Stored<T>::type>(&storage_);
    return held != nullptr ? &internal::unbox(*held) : nullptr;
  }

  /// The value as a C++ type, see convert.h: any Kind, any number type that holds it exactly, std::vector, std::map,
  /// std::optional, std::tuple, std::chrono's types, and whatever From is specialized for.
  /// @throws ValueTypeError if it is none.
  template <class T>
  T as() const&;

  /// As above; moves what it holds out.
  template <class T>
  T as() &&;

  /// An element of a list or tuple.
  /// @throws std::out_of_range if there is none; ValueTypeError if the value is neither.
  const Value& at(std::size_t index) const;

  /// A dict's value or a record's field.
  /// @throws std::out_of_range if there is none; ValueTypeError if the value is neither.
  const Value& at(std::string_view key) const;

  /// How many elements a container has. @throws ValueTypeError if the value is none.
  std::size_t size() const;

  /// Calls a function with what it holds, one of the types in Kind.
  template <class F>
  decltype(auto) visit(F&& function) const {
    return std::visit([&](const auto& held) -> decltype(auto) { return function(internal::unbox(held)); }, storage_);
  }

  /// The name of its type in Python: "int", "str", "datetime".
  std::string_view type_name() const;

  /// Whether both are of the same kind and equal: 1 and 1.0 differ here, and a NaN equals nothing.
  friend bool operator==(const Value& left, const Value& right) { return left.equals(right); }

 private:
  void set_unsigned(std::uint64_t value);
  bool equals(const Value& other) const;

  std::variant<std::monostate, bool, std::int64_t, BigInt, double, std::string, SurrogateString, Bytes, List, Tuple,
               Set, FrozenSet, Dict, std::complex<double>, Decimal, Date, internal::Box<TimeOfDay>,
               internal::Box<DateTime>, TimeDelta, Uuid, internal::Box<Tensor>, internal::Box<ArrowStream>,
               internal::Box<Record>>
      storage_;
};

/// A value much as Python shows it, for logs and tests: "[1, 'a', None]".
std::string repr(const Value& value);

/// Writes repr() of a value.
std::ostream& operator<<(std::ostream& stream, const Value& value);

}  // namespace callgate

#include "callgate/convert.h"
