// Message → value, in any form that a client may write. Depth and element counts are taken off the budget before a
// container is built, so a hostile message costs little more than its own bytes did.
#include <algorithm>

#include "arrow_ipc.h"
#include "budget.h"
#include "hashable.h"
#include "quote.h"
#include "rules.h"
#include "utf8.h"
#include "wire.h"

namespace callgate {

namespace internal {

namespace {

void require(const std::string& problem) {
  if (!problem.empty()) throw ValueDecodeError(problem);
}

TimeDelta read(const v1::TimeDelta& message) {
  try {
    return TimeDelta::of(message.days(), message.seconds(), message.microseconds());
  } catch (const std::out_of_range& error) {
    throw ValueDecodeError(error.what());
  }
}

Date read(const v1::Date& message) {
  const Date made{message.year(), message.month(), message.day()};
  require(date_problem(made));
  return made;
}

TimeOfDay read(const v1::TimeOfDay& message) {
  TimeOfDay made{message.hour(), message.minute(), message.second(), message.microsecond(), message.fold(), {}};
  if (message.has_time_zone()) {
    const v1::TimeZone& zone = message.time_zone();
    TimeZone& into = made.zone.emplace();
    into.key = zone.key();
    if (zone.key().empty()) into.name = zone.name();
    // A zone with a key may come without an offset; one without either is UTC, the offset's zero value.
    if (zone.has_utc_offset() || zone.key().empty()) into.utc_offset = read(zone.utc_offset());
  }
  require(time_problem(made));
  return made;
}

class Decoder {
 public:
  explicit Decoder(const Limits& limits) : budget_(limits) {}

  Value one(v1::Value& from, int depth) {
    switch (from.kind_case()) {
      case v1::Value::kNullValue:
        return {};
      case v1::Value::kBoolValue:
        return from.bool_value();
      case v1::Value::kIntValue:
        return std::int64_t{from.int_value()};
      case v1::Value::kBigIntValue:
        if (from.big_int_value().empty()) throw ValueDecodeError("a big_int_value is empty");
        return BigInt::from_bytes(std::move(*from.mutable_big_int_value()));
      case v1::Value::kDoubleValue:
        return from.double_value();
      case v1::Value::kStringValue:
        return std::move(*from.mutable_string_value());
      case v1::Value::kSurrogateStringValue:
        return surrogate_string(*from.mutable_surrogate_string_value());
      case v1::Value::kBytesValue:
        return Bytes{std::move(*from.mutable_bytes_value())};
      case v1::Value::kListValue:
        return elements(*from.mutable_list_value(), depth + 1);
      case v1::Value::kTupleValue:
        return Tuple(elements(*from.mutable_tuple_value(), depth + 1));
      case v1::Value::kSetValue:
        return Set(distinct(*from.mutable_set_value(), depth + 1, "set"));
      case v1::Value::kFrozensetValue:
        return FrozenSet(distinct(*from.mutable_frozenset_value(), depth + 1, "frozenset"));
      case v1::Value::kMapValue:
        return map(*from.mutable_map_value(), depth + 1);
      case v1::Value::kStringMap:
        return string_map(*from.mutable_string_map(), depth + 1);
      case v1::Value::kDoubleList:
        return packed<double>(*from.mutable_double_list(), depth + 1);
      case v1::Value::kIntList:
        return packed<std::int64_t>(*from.mutable_int_list(), depth + 1);
      case v1::Value::kBoolList:
        return packed<bool>(*from.mutable_bool_list(), depth + 1);
      case v1::Value::kStringList:
        return packed<std::string>(*from.mutable_string_list(), depth + 1);
      case v1::Value::kComplexValue:
        return std::complex<double>(from.complex_value().real(), from.complex_value().imag());
      case v1::Value::kDecimalValue:
        require(decimal_problem(from.decimal_value()));
        return Decimal{std::move(*from.mutable_decimal_value())};
      case v1::Value::kDateValue:
        return read(from.date_value());
      case v1::Value::kTimeValue:
        return read(from.time_value());
      case v1::Value::kDatetimeValue:
        return DateTime{read(from.datetime_value().date()), read(from.datetime_value().time())};
      case v1::Value::kTimedeltaValue:
        return read(from.timedelta_value());
      case v1::Value::kUuidValue:
        return uuid(from.uuid_value());
      case v1::Value::kTensorValue:
        return tensor(*from.mutable_tensor_value());
      case v1::Value::kArrowValue:
        return arrow(*from.mutable_arrow_value());
      case v1::Value::kRecordValue:
        return record(*from.mutable_record_value(), depth + 1);
      case v1::Value::kNestedValue:
        return nested(from.nested_value(), depth);
      case v1::Value::KIND_NOT_SET:
        break;
    }
    throw ValueDecodeError("a Value with no kind set (a newer client's kind, or an empty message)");
  }

 private:
  static Value surrogate_string(std::string& text) {
    std::size_t bad = 0;
    if (classify(text, &bad) == Text::neither) {
      throw ValueDecodeError("a surrogate_string_value is not WTF-8 at byte " + std::to_string(bad));
    }
    return SurrogateString{std::move(text)};
  }

  static Value uuid(const std::string& bytes) {
    Uuid made;
    if (bytes.size() != made.bytes.size()) {
      throw ValueDecodeError("a uuid_value has " + std::to_string(bytes.size()) + " bytes; 16 are right");
    }
    std::copy(bytes.begin(), bytes.end(), made.bytes.begin());
    return made;
  }

  Value tensor(v1::Tensor& from) const {
    Tensor made{std::move(*from.mutable_dtype()),
                {from.shape().begin(), from.shape().end()},
                std::move(*from.mutable_data()),
                from.scalar()};
    require(tensor_problem(made, budget_.elements()));
    return made;
  }

  static Value arrow(v1::Arrow& from) {
    if (!v1::ArrowForm_IsValid(from.form())) {
      throw ValueDecodeError("an arrow_value has the unknown form " + std::to_string(from.form()));
    }
    if (is_compressed(from.ipc_stream())) {
      throw ValueDecodeError("an Arrow stream is compressed; only plain ones are taken");
    }
    const auto form = from.form() == v1::ARROW_FORM_UNSPECIFIED ? v1::ARROW_FORM_TABLE : from.form();
    return ArrowStream{std::move(*from.mutable_ipc_stream()), static_cast<ArrowForm>(form)};
  }

  List elements(v1::ListValue& from, int depth) {
    budget_.enter(depth, static_cast<std::size_t>(from.values_size()));
    List items;
    items.reserve(static_cast<std::size_t>(from.values_size()));
    for (v1::Value& value : *from.mutable_values()) {
      items.push_back(
          located([&] { return "[" + std::to_string(items.size()) + "]"; }, [&] { return one(value, depth); }));
    }
    return items;
  }

  List distinct(v1::ListValue& from, int depth, const std::string& kind) {
    List items = elements(from, depth);
    std::vector<std::string> keys;
    keys.reserve(items.size());
    for (const Value& item : items) keys.push_back(hash_key_of(item, "an element of a " + kind));
    if (has_duplicates(std::move(keys))) throw ValueDecodeError("a " + kind + " has an element twice");
    return items;
  }

  static std::string hash_key_of(const Value& value, const std::string& what) {
    std::string_view unhashable;
    auto key = hash_key(value, unhashable);
    if (!key) throw ValueDecodeError(what + " is not hashable: it is or holds a " + std::string(unhashable));
    return std::move(*key);
  }

  template <class T, class Packed>
  List packed(Packed& from, int depth) {
    budget_.enter(depth, static_cast<std::size_t>(from.values_size()));
    List items;
    items.reserve(static_cast<std::size_t>(from.values_size()));
    for (auto& value : *from.mutable_values()) items.emplace_back(static_cast<T>(std::move(value)));
    return items;
  }

  Dict map(v1::MapValue& from, int depth) {
    budget_.enter(depth, static_cast<std::size_t>(from.entries_size()));
    Dict made;
    made.entries.reserve(static_cast<std::size_t>(from.entries_size()));
    std::vector<std::string> keys;
    keys.reserve(static_cast<std::size_t>(from.entries_size()));
    for (v1::MapEntry& entry : *from.mutable_entries()) {
      Value key = located([&] { return ".key(" + std::to_string(keys.size()) + ")"; },
                          [&] { return one(*entry.mutable_key(), depth); });
      keys.push_back(hash_key_of(key, "a key"));
      Value item =
          located([&] { return "[" + short_key(key) + "]"; }, [&] { return one(*entry.mutable_value(), depth); });
      made.entries.emplace_back(std::move(key), std::move(item));
    }
    if (has_duplicates(std::move(keys))) throw ValueDecodeError("a key comes twice");
    return made;
  }

  Dict string_map(v1::StringMap& from, int depth) {
    if (from.keys_size() != from.values_size()) {
      throw ValueDecodeError("a string_map has " + std::to_string(from.keys_size()) + " keys and " +
                             std::to_string(from.values_size()) + " values");
    }
    budget_.enter(depth, static_cast<std::size_t>(from.keys_size()));
    if (has_duplicates({from.keys().begin(), from.keys().end()})) {
      throw ValueDecodeError("a key comes twice in a string_map");
    }
    Dict made;
    made.entries.reserve(static_cast<std::size_t>(from.keys_size()));
    for (int at = 0; at < from.keys_size(); ++at) {
      Value key(std::move(*from.mutable_keys(at)));
      Value item =
          located([&] { return "[" + short_key(key) + "]"; }, [&] { return one(*from.mutable_values(at), depth); });
      made.entries.emplace_back(std::move(key), std::move(item));
    }
    return made;
  }

  Record record(v1::Record& from, int depth) {
    budget_.enter(depth, static_cast<std::size_t>(from.fields_size()));
    if (!v1::RecordForm_IsValid(from.form())) {
      throw ValueDecodeError("a record has the unknown form " + std::to_string(from.form()));
    }
    Record made(std::move(*from.mutable_type_name()), {}, static_cast<RecordForm>(from.form()));
    std::vector<std::string> names;
    for (v1::RecordField& field : *from.mutable_fields()) {
      names.push_back(field.name());
      Value item =
          located([&] { return "." + names.back().substr(0, 80); }, [&] { return one(*field.mutable_value(), depth); });
      made.fields.emplace_back(std::move(*field.mutable_name()), std::move(item));
    }
    if (has_duplicates(std::move(names))) throw ValueDecodeError("a field comes twice");
    return made;
  }

  Value nested(const std::string& bytes, int depth) {
    // Each level holds a copy of all that is inside it: nesting at every level would multiply a message a hundredfold.
    if (budget_.nested >= budget_.limits().depth / nesting_stride + 1) {
      throw ValueDecodeError("nested_value comes more often than every " + std::to_string(nesting_stride) + " levels");
    }
    v1::Value inner;
    if (!inner.ParseFromString(bytes)) throw ValueDecodeError("a nested_value is not a serialized Value");
    ++budget_.nested;
    Value made = one(inner, depth);  // an error ends the whole decoding: the count need not come back
    --budget_.nested;
    return made;
  }

  template <class Place, class Work>
  static Value located(Place&& place, Work&& work) {
    try {
      return work();
    } catch (ValueDecodeError& error) {
      error.prepend(place());
      throw;
    }
  }

  Budget<ValueDecodeError> budget_;
};

}  // namespace

Value decode_from(v1::Value& message, std::string_view path, const Limits& limits) {
  if (message.kind_case() == v1::Value::kDoubleValue) return message.double_value();  // the commonest by far
  try {
    return Decoder(limits).one(message, 0);
  } catch (ValueDecodeError& error) {
    error.prepend(path);
    throw;
  }
}

}  // namespace internal

Value decode(std::string_view bytes, std::string_view path, const Limits& limits) {
  v1::Value message;
  if (bytes.size() > static_cast<std::size_t>(limits.bytes) ||
      !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw ValueDecodeError("not a serialized Value", std::string(path));
  }
  return internal::decode_from(message, path, limits);
}

}  // namespace callgate
