// Value → message, in the one form that every client writes: lists of one plain kind packed, dicts with str keys as
// string_map, every 20th container serialized on its own.
#include <algorithm>
#include <climits>

#include "budget.h"
#include "hashable.h"
#include "quote.h"
#include "rules.h"
#include "utf8.h"
#include "wire.h"

namespace callgate {

namespace internal {

namespace {

template <class T>
bool all(const List& items) {
  return std::all_of(items.begin(), items.end(), [](const Value& item) { return item.is<T>(); });
}

void require(const std::string& problem) {
  if (!problem.empty()) throw ValueFormError(problem);
}

void require_text(std::string_view text) {
  std::size_t bad = 0;
  if (classify(text, &bad) == Text::utf8) return;
  throw ValueFormError("a str is not UTF-8 at byte " + std::to_string(bad) +
                       " (use callgate::Bytes for bytes, callgate::SurrogateString for text with lone surrogates)");
}

class Encoder {
 public:
  explicit Encoder(const Limits& limits) : budget_(limits) {}

  void one(const Value& value, v1::Value& target, int depth) {
    value.visit([&](const auto& held) { put(held, target, depth); });
  }

 private:
  void put(std::monostate, v1::Value& target, int) { target.set_null_value(v1::NULL_VALUE_UNSPECIFIED); }
  void put(bool value, v1::Value& target, int) { target.set_bool_value(value); }
  void put(std::int64_t value, v1::Value& target, int) { target.set_int_value(value); }
  void put(double value, v1::Value& target, int) { target.set_double_value(value); }
  void put(const BigInt& value, v1::Value& target, int) {
    budget_.spend(value.bytes().size());
    target.set_big_int_value(value.bytes());
  }
  void put(const std::string& value, v1::Value& target, int) {
    budget_.spend(value.size());
    require_text(value);
    target.set_string_value(value);
  }
  void put(const SurrogateString& value, v1::Value& target, int) {
    budget_.spend(value.wtf8.size());
    if (classify(value.wtf8) == Text::neither) throw ValueFormError("a surrogate string is not WTF-8");
    target.set_surrogate_string_value(value.wtf8);
  }
  void put(const Bytes& value, v1::Value& target, int) {
    budget_.spend(value.data.size());
    target.set_bytes_value(value.data);
  }

  void put(const List& items, v1::Value& target, int depth) {
    ++depth;
    if (!items.empty() && packed(items, target, depth)) return;
    stride(target, depth, [&](v1::Value& holder) { elements(items, *holder.mutable_list_value(), depth); });
  }

  bool packed(const List& items, v1::Value& target, int depth) {
    const auto count = static_cast<int>(std::min<std::size_t>(items.size(), INT_MAX));
    if (items.front().is<double>() && all<double>(items)) {
      budget_.enter(depth, items.size());
      auto& values = *target.mutable_double_list()->mutable_values();
      values.Reserve(count);
      for (const Value& item : items) values.AddAlreadyReserved(*item.get_if<double>());
    } else if (items.front().is<std::int64_t>() && all<std::int64_t>(items)) {
      budget_.enter(depth, items.size());
      auto& values = *target.mutable_int_list()->mutable_values();
      values.Reserve(count);
      for (const Value& item : items) values.AddAlreadyReserved(*item.get_if<std::int64_t>());
    } else if (items.front().is<bool>() && all<bool>(items)) {
      budget_.enter(depth, items.size());
      auto& values = *target.mutable_bool_list()->mutable_values();
      values.Reserve(count);
      for (const Value& item : items) values.AddAlreadyReserved(*item.get_if<bool>());
    } else if (items.front().is<std::string>() && all<std::string>(items)) {
      budget_.enter(depth, items.size());
      auto& values = *target.mutable_string_list()->mutable_values();
      values.Reserve(count);
      for (const Value& item : items) {
        const auto& text = *item.get_if<std::string>();
        located([&] { return "[" + std::to_string(values.size()) + "]"; },
                [&] {
                  budget_.spend(text.size());
                  require_text(text);
                });
        *values.Add() = text;
      }
    } else {
      return false;
    }
    return true;
  }

  void put(const Tuple& value, v1::Value& target, int depth) {
    ++depth;
    stride(target, depth, [&](v1::Value& holder) { elements(value.items, *holder.mutable_tuple_value(), depth); });
  }
  void put(const Set& value, v1::Value& target, int depth) {
    ++depth;
    check_elements(value.items);
    stride(target, depth, [&](v1::Value& holder) { elements(value.items, *holder.mutable_set_value(), depth); });
  }
  void put(const FrozenSet& value, v1::Value& target, int depth) {
    ++depth;
    check_elements(value.items);
    stride(target, depth, [&](v1::Value& holder) { elements(value.items, *holder.mutable_frozenset_value(), depth); });
  }

  void put(const Dict& value, v1::Value& target, int depth) {
    ++depth;
    budget_.enter(depth, value.entries.size());
    check_keys(value);
    const bool text_keys = std::all_of(value.entries.begin(), value.entries.end(),
                                       [](const auto& entry) { return entry.first.template is<std::string>(); });
    stride(target, depth, [&](v1::Value& holder) {
      if (text_keys) {
        string_map(value, *holder.mutable_string_map(), depth);
      } else {
        entries(value, *holder.mutable_map_value(), depth);
      }
    });
  }

  void string_map(const Dict& value, v1::StringMap& target, int depth) {
    for (const auto& [key, item] : value.entries) {
      const auto& text = *key.get_if<std::string>();
      located([&] { return ".key(" + short_key(key) + ")"; }, [&] { require_text(text); });
      target.add_keys(text);
      located([&] { return "[" + short_key(key) + "]"; }, [&] { one(item, *target.add_values(), depth); });
    }
  }

  void entries(const Dict& value, v1::MapValue& target, int depth) {
    for (const auto& [key, item] : value.entries) {
      v1::MapEntry& entry = *target.add_entries();
      located([&] { return ".key(" + short_key(key) + ")"; }, [&] { one(key, *entry.mutable_key(), depth); });
      located([&] { return "[" + short_key(key) + "]"; }, [&] { one(item, *entry.mutable_value(), depth); });
    }
  }

  void put(const Record& value, v1::Value& target, int depth) {
    ++depth;
    budget_.enter(depth, value.fields.size());
    if (!is_utf8(value.type_name)) throw ValueFormError("a record's type name is not UTF-8");
    const int form = static_cast<int>(value.form);
    if (!v1::RecordForm_IsValid(form)) throw ValueFormError("a record has the unknown form " + std::to_string(form));
    stride(target, depth, [&](v1::Value& holder) {
      v1::Record& made = *holder.mutable_record_value();
      made.set_type_name(value.type_name);
      made.set_form(static_cast<v1::RecordForm>(form));
      std::vector<std::string> names;
      for (const auto& [name, item] : value.fields) {
        if (!is_utf8(name)) throw ValueFormError("a field's name is not UTF-8", "." + quote(name));
        v1::RecordField& field = *made.add_fields();
        field.set_name(name);
        located([&] { return "." + name; }, [&] { one(item, *field.mutable_value(), depth); });
        names.push_back(name);
      }
      if (has_duplicates(std::move(names))) throw ValueFormError("a field comes twice");
    });
  }

  void put(const std::complex<double>& value, v1::Value& target, int) {
    v1::Complex& made = *target.mutable_complex_value();
    made.set_real(value.real());
    made.set_imag(value.imag());
  }
  void put(const Decimal& value, v1::Value& target, int) {
    budget_.spend(value.text.size());
    require(decimal_problem(value.text));
    target.set_decimal_value(value.text);
  }
  void put(const Date& value, v1::Value& target, int) { fill(value, *target.mutable_date_value()); }
  void put(const TimeOfDay& value, v1::Value& target, int) { fill(value, *target.mutable_time_value()); }
  void put(const DateTime& value, v1::Value& target, int) {
    fill(value.date, *target.mutable_datetime_value()->mutable_date());
    fill(value.time, *target.mutable_datetime_value()->mutable_time());
  }
  void put(const TimeDelta& value, v1::Value& target, int) { fill(value, *target.mutable_timedelta_value()); }
  void put(const Uuid& value, v1::Value& target, int) { target.set_uuid_value(value.bytes.data(), value.bytes.size()); }
  void put(const Tensor& value, v1::Value& target, int) {
    budget_.spend(value.data.size());
    require(tensor_problem(value, budget_.elements()));
    v1::Tensor& made = *target.mutable_tensor_value();
    made.set_dtype(value.dtype);
    made.mutable_shape()->Add(value.shape.begin(), value.shape.end());
    made.set_data(value.data);
    made.set_scalar(value.scalar);
  }
  void put(const ArrowStream& value, v1::Value& target, int) {
    budget_.spend(value.ipc_stream.size());
    v1::Arrow& made = *target.mutable_arrow_value();
    made.set_ipc_stream(value.ipc_stream);
    made.set_form(static_cast<v1::ArrowForm>(value.form));
  }

  static void fill(const Date& value, v1::Date& into) {
    require(date_problem(value));
    into.set_year(value.year);
    into.set_month(value.month);
    into.set_day(value.day);
  }
  static void fill(const TimeDelta& value, v1::TimeDelta& into) {
    require(span_problem(value));
    into.set_days(value.days);
    into.set_seconds(value.seconds);
    into.set_microseconds(value.microseconds);
  }
  static void fill(const TimeOfDay& value, v1::TimeOfDay& into) {
    require(time_problem(value));
    into.set_hour(value.hour);
    into.set_minute(value.minute);
    into.set_second(value.second);
    into.set_microsecond(value.microsecond);
    into.set_fold(value.fold);
    if (!value.zone) return;
    v1::TimeZone& zone = *into.mutable_time_zone();
    zone.set_key(value.zone->key);
    if (value.zone->key.empty()) zone.set_name(value.zone->name);
    if (value.zone->utc_offset) fill(*value.zone->utc_offset, *zone.mutable_utc_offset());
  }

  void elements(const List& items, v1::ListValue& target, int depth) {
    budget_.enter(depth, items.size());
    target.mutable_values()->Reserve(static_cast<int>(std::min<std::size_t>(items.size(), INT_MAX)));
    for (const Value& item : items) {
      located([&] { return "[" + std::to_string(target.values_size() - 1) + "]"; },
              [&] { one(item, *target.add_values(), depth); });
    }
  }

  static std::string hash_key_of(const Value& value, std::string_view what) {
    std::string_view unhashable;
    auto key = hash_key(value, unhashable);
    if (!key) throw ValueFormError(std::string(what) + " is not hashable: it is or holds a " + std::string(unhashable));
    return std::move(*key);
  }

  static void check_elements(const List& items) {
    std::vector<std::string> keys;
    keys.reserve(items.size());
    for (const Value& item : items) {
      located([&] { return "[" + std::to_string(keys.size()) + "]"; },
              [&] { keys.push_back(hash_key_of(item, "an element of a set")); });
    }
    if (has_duplicates(std::move(keys))) throw ValueFormError("a set has an element twice");
  }

  static void check_keys(const Dict& dict) {
    std::vector<std::string> keys;
    keys.reserve(dict.entries.size());
    for (const auto& entry : dict.entries) {
      located([&] { return ".key(" + short_key(entry.first) + ")"; },
              [&] { keys.push_back(hash_key_of(entry.first, "a key")); });
    }
    if (has_duplicates(std::move(keys))) throw ValueFormError("a key comes twice");
  }

  // Lets `fill` fill the target itself, or, at every 20th level, a message of its own that travels as bytes.
  template <class Fill>
  static void stride(v1::Value& target, int depth, Fill&& fill) {
    if (depth % nesting_stride != 0) {
      fill(target);
      return;
    }
    v1::Value inner;
    fill(inner);
    inner.SerializeToString(target.mutable_nested_value());
  }

  template <class Place, class Work>
  static void located(Place&& place, Work&& work) {
    try {
      work();
    } catch (ValueFormError& error) {
      error.prepend(place());
      throw;
    }
  }

  Budget<ValueFormError> budget_;
};

}  // namespace

void encode_into(const Value& value, v1::Value& target, std::string_view path, const Limits& limits) {
  if (const auto* number = value.get_if<double>()) {  // the commonest by far, worth no budget
    target.set_double_value(*number);
    return;
  }
  try {
    Encoder(limits).one(value, target, 0);
  } catch (ValueFormError& error) {
    error.prepend(path);
    throw;
  }
}

}  // namespace internal

std::string encode(const Value& value, std::string_view path, const Limits& limits) {
  v1::Value message;
  internal::encode_into(value, message, path, limits);
  std::string bytes;
  if (!message.SerializeToString(&bytes)) throw ValueFormError("more than 2 GiB in all", std::string(path));
  return bytes;
}

}  // namespace callgate
