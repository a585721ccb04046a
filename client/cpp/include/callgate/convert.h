// Value::as<T>(): from a Value to a C++ type, exactly or not at all.
#pragma once

#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "callgate/value.h"
#include "callgate/value_error.h"

namespace callgate {

/// How a Value becomes a T. Specialize it for types of your own:
///
///     template <>
///     struct callgate::From<Quote> {
///       static Quote from(const Value& value) { return {value.at("symbol").as<std::string>()}; }
///     };
template <class T>
struct From {
  static_assert(!std::is_same_v<T, T>, "no way from a Value to this type: specialize callgate::From for it");
};

namespace internal {

[[noreturn]] void refuse_conversion(const Value& value, std::string_view wanted);
[[noreturn]] void refuse_range(const Value& value, std::string_view wanted);

/// The elements of a list or tuple; of a set, too, where `sets`.
const List& elements_of(const Value& value, std::string_view wanted, bool sets = false);

/// Adds an element's place to an error of its conversion.
template <class Place, class Make>
auto at_place(Place&& place, Make&& make) {
  try {
    return make();
  } catch (ValueTypeError& error) {
    error.prepend(place());
    throw;
  }
}

inline std::string index_place(std::size_t index) { return "[" + std::to_string(index) + "]"; }

std::string key_place(const Value& key);

}  // namespace internal

/// What the Value holds itself.
template <Kind T>
requires(!internal::OneOf<T, std::int64_t, double>) struct From<T> {
  /// @throws ValueTypeError if the value is of another kind.
  static T from(const Value& value) {
    const T* held = value.get_if<T>();
    if (held == nullptr) internal::refuse_conversion(value, Value(T{}).type_name());
    return *held;
  }
};

template <>
struct From<Value> {
  /// The value itself.
  static Value from(const Value& value) { return value; }
};

/// An int, if the type holds it.
template <Integer T>
struct From<T> {
  /// @throws ValueTypeError if the value is no int or does not fit.
  static T from(const Value& value) {
    if (const auto* small = value.get_if<std::int64_t>()) {
      if (!std::in_range<T>(*small)) internal::refuse_range(value, "an int of this type");
      return static_cast<T>(*small);
    }
    if (const auto* big = value.get_if<BigInt>()) {
      const auto wide = big->to_uint64();
      if (!wide || !std::in_range<T>(*wide)) internal::refuse_range(value, "an int of this type");
      return static_cast<T>(*wide);
    }
    internal::refuse_conversion(value, "int");
  }
};

/// A float, or an int that the type holds exactly. A double becomes a `float` by rounding.
template <std::floating_point T>
struct From<T> {
  /// @throws ValueTypeError if the value is neither.
  static T from(const Value& value) {
    if (const auto* number = value.get_if<double>()) return static_cast<T>(*number);
    if (const auto* whole = value.get_if<std::int64_t>()) {
      constexpr std::int64_t exact = std::int64_t{1} << std::numeric_limits<T>::digits;
      if (*whole < -exact || *whole > exact) internal::refuse_range(value, "a float that is exactly it");
      return static_cast<T>(*whole);
    }
    internal::refuse_conversion(value, "float");
  }
};

/// The value, or nothing for None.
template <class T>
struct From<std::optional<T>> {
  /// @throws ValueTypeError if the value is neither None nor a T.
  static std::optional<T> from(const Value& value) {
    if (value.is_none()) return std::nullopt;
    return From<T>::from(value);
  }
};

/// The elements of a list, tuple or set.
template <class T>
requires(!std::same_as<T, Value>) struct From<std::vector<T>> {
  /// @throws ValueTypeError if the value is none, or an element is no T.
  static std::vector<T> from(const Value& value) {
    const List& elements = internal::elements_of(value, "list", true);
    std::vector<T> made;
    made.reserve(elements.size());
    for (const Value& element : elements) {
      made.push_back(internal::at_place([&] { return internal::index_place(made.size()); },
                                        [&] { return From<T>::from(element); }));
    }
    return made;
  }
};

/// The entries of a dict, sorted by key.
template <class K, class V>
struct From<std::map<K, V>> {
  /// @throws ValueTypeError if the value is no dict, or an entry does not fit.
  static std::map<K, V> from(const Value& value) {
    const Dict* dict = value.get_if<Dict>();
    if (dict == nullptr) internal::refuse_conversion(value, "dict");
    std::map<K, V> made;
    for (const auto& [key, item] : dict->entries) {
      made.emplace(internal::at_place([&] { return ".key(" + internal::key_place(key) + ")"; },
                                      [&] { return From<K>::from(key); }),
                   internal::at_place([&] { return "[" + internal::key_place(key) + "]"; },
                                      [&] { return From<V>::from(item); }));
    }
    return made;
  }
};

/// The elements of a tuple or list of that length.
template <class... Ts>
struct From<std::tuple<Ts...>> {
  /// @throws ValueTypeError if the value is none of that length, or an element does not fit.
  static std::tuple<Ts...> from(const Value& value) {
    const List& elements = internal::elements_of(value, "tuple");
    if (elements.size() != sizeof...(Ts)) {
      internal::refuse_conversion(value, "tuple of " + std::to_string(sizeof...(Ts)));
    }
    return make(elements, std::index_sequence_for<Ts...>{});
  }

 private:
  template <std::size_t... Places>
  static std::tuple<Ts...> make(const List& elements, std::index_sequence<Places...>) {
    return std::tuple<Ts...>{internal::at_place([] { return internal::index_place(Places); },
                                                [&] { return From<Ts>::from(elements[Places]); })...};
  }
};

template <>
struct From<std::chrono::year_month_day> {
  /// A date. @throws ValueTypeError if the value is none.
  static std::chrono::year_month_day from(const Value& value) { return From<Date>::from(value).to_chrono(); }
};

template <>
struct From<std::chrono::microseconds> {
  /// A timedelta. @throws ValueTypeError if the value is none; std::out_of_range if 64 bits do not hold it.
  static std::chrono::microseconds from(const Value& value) { return From<TimeDelta>::from(value).to_chrono(); }
};

template <>
struct From<std::chrono::sys_time<std::chrono::microseconds>> {
  /// An aware datetime's instant. @throws ValueTypeError if the value is none.
  static std::chrono::sys_time<std::chrono::microseconds> from(const Value& value) {
    const auto instant = From<DateTime>::from(value).instant();
    if (!instant) internal::refuse_conversion(value, "datetime with a UTC offset");
    return *instant;
  }
};

template <>
struct From<std::chrono::local_time<std::chrono::microseconds>> {
  /// A naive datetime. @throws ValueTypeError if the value is none.
  static std::chrono::local_time<std::chrono::microseconds> from(const Value& value) {
    const auto naive = From<DateTime>::from(value);
    if (naive.time.zone) internal::refuse_conversion(value, "naive datetime");
    return naive.wall_clock();
  }
};

template <class T>
T Value::as() const& {
  return From<T>::from(*this);
}

template <class T>
T Value::as() && {
  if constexpr (Kind<T>) {
    if (T* held = get_if<T>()) return std::move(*held);
  }
  return From<T>::from(*this);
}

}  // namespace callgate
