// Value itself: how it is made, compared and looked into.
#include "callgate/value.h"

#include <algorithm>
#include <stdexcept>

#include "callgate/value_error.h"
#include "quote.h"
#include "utf8.h"

namespace callgate {

Value::Value(const char* text) {
  if (text != nullptr) storage_.emplace<std::string>(text);
}

Value::Value(BigInt value) {
  if (const auto small = value.to_int64()) {
    storage_.emplace<std::int64_t>(*small);
  } else {
    storage_.emplace<BigInt>(std::move(value));
  }
}

Value::Value(SurrogateString value) {
  if (internal::is_utf8(value.wtf8)) {
    storage_.emplace<std::string>(std::move(value.wtf8));
  } else {
    storage_.emplace<SurrogateString>(std::move(value));
  }
}

void Value::set_unsigned(std::uint64_t value) { *this = Value(BigInt::from_unsigned(value)); }

bool Value::equals(const Value& other) const {
  if (storage_.index() != other.storage_.index()) return false;
  return visit([&](const auto& held) { return held == *other.get_if<std::decay_t<decltype(held)>>(); });
}

const Value& Value::at(std::size_t index) const {
  const List& items = internal::elements_of(*this, "list");
  if (index >= items.size()) {
    throw std::out_of_range("index " + std::to_string(index) + " of a " + std::string(type_name()) + " of " +
                            std::to_string(items.size()));
  }
  return items[index];
}

const Value& Value::at(std::string_view key) const {
  if (const auto* dict = get_if<Dict>()) return dict->at(key);
  if (const auto* record = get_if<Record>()) return record->at(key);
  internal::refuse_conversion(*this, "dict");
}

std::size_t Value::size() const {
  if (const auto* dict = get_if<Dict>()) return dict->entries.size();
  if (const auto* record = get_if<Record>()) return record->fields.size();
  return internal::elements_of(*this, "container", true).size();
}

namespace {

struct Name {
  std::string_view operator()(std::monostate) const { return "None"; }
  std::string_view operator()(bool) const { return "bool"; }
  std::string_view operator()(std::int64_t) const { return "int"; }
  std::string_view operator()(const BigInt&) const { return "int"; }
  std::string_view operator()(double) const { return "float"; }
  std::string_view operator()(const std::string&) const { return "str"; }
  std::string_view operator()(const SurrogateString&) const { return "str with surrogates"; }
  std::string_view operator()(const Bytes&) const { return "bytes"; }
  std::string_view operator()(const List&) const { return "list"; }
  std::string_view operator()(const Tuple&) const { return "tuple"; }
  std::string_view operator()(const Set&) const { return "set"; }
  std::string_view operator()(const FrozenSet&) const { return "frozenset"; }
  std::string_view operator()(const Dict&) const { return "dict"; }
  std::string_view operator()(const std::complex<double>&) const { return "complex"; }
  std::string_view operator()(const Decimal&) const { return "Decimal"; }
  std::string_view operator()(const Date&) const { return "date"; }
  std::string_view operator()(const TimeOfDay&) const { return "time"; }
  std::string_view operator()(const DateTime&) const { return "datetime"; }
  std::string_view operator()(const TimeDelta&) const { return "timedelta"; }
  std::string_view operator()(const Uuid&) const { return "UUID"; }
  std::string_view operator()(const Tensor&) const { return "Tensor"; }
  std::string_view operator()(const ArrowStream&) const { return "ArrowStream"; }
  std::string_view operator()(const Record&) const { return "Record"; }
};

}  // namespace

std::string_view Value::type_name() const { return visit(Name{}); }

namespace internal {

void refuse_conversion(const Value& value, std::string_view wanted) {
  const std::string shown = value.is_none() ? "None" : "a " + std::string(value.type_name());
  throw ValueTypeError("this is " + shown + ", and a " + std::string(wanted) + " is wanted");
}

void refuse_range(const Value& value, std::string_view wanted) {
  throw ValueTypeError(repr(value) + " does not fit into " + std::string(wanted));
}

const List& elements_of(const Value& value, std::string_view wanted, bool sets) {
  if (const auto* list = value.get_if<List>()) return *list;
  if (const auto* tuple = value.get_if<Tuple>()) return tuple->items;
  if (const auto* set = sets ? value.get_if<Set>() : nullptr) return set->items;
  if (const auto* frozen = sets ? value.get_if<FrozenSet>() : nullptr) return frozen->items;
  refuse_conversion(value, wanted);
}

std::string key_place(const Value& key) { return short_key(key); }

}  // namespace internal

}  // namespace callgate
