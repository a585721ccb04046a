// The containers that C++ has no type of its own for: how they are made, searched and compared.
#include "callgate/containers.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "callgate/value.h"
#include "hashable.h"
#include "quote.h"

namespace callgate {

namespace {

// The places of values in an order that is the same for equal ones, whatever order they stand in.
template <class Items, class KeyOf>
std::vector<std::size_t> sorted_places(const Items& items, KeyOf key_of) {
  std::vector<std::string> keys;
  keys.reserve(items.size());
  for (const auto& item : items) {
    std::string_view unhashable;
    keys.push_back(internal::hash_key(key_of(item), unhashable).value_or(std::string{}));
  }
  std::vector<std::size_t> places(items.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::sort(places.begin(), places.end(),
            [&](std::size_t left, std::size_t right) { return keys[left] < keys[right]; });
  return places;
}

template <class Items, class KeyOf>
bool equal_in_any_order(const Items& left, const Items& right, KeyOf key_of) {
  if (left.size() != right.size()) return false;
  if (left == right) return true;
  const auto left_places = sorted_places(left, key_of);
  const auto right_places = sorted_places(right, key_of);
  return std::equal(left_places.begin(), left_places.end(), right_places.begin(),
                    [&](std::size_t at, std::size_t other) { return left[at] == right[other]; });
}

const Value& itself(const Value& value) { return value; }

}  // namespace

Tuple::Tuple() = default;
Tuple::Tuple(std::initializer_list<Value> elements) : items(elements) {}
Tuple::Tuple(List elements) : items(std::move(elements)) {}
bool Tuple::operator==(const Tuple& other) const { return items == other.items; }

Set::Set() = default;
Set::Set(std::initializer_list<Value> elements) : items(elements) {}
Set::Set(List elements) : items(std::move(elements)) {}
bool Set::operator==(const Set& other) const { return equal_in_any_order(items, other.items, itself); }

FrozenSet::FrozenSet() = default;
FrozenSet::FrozenSet(std::initializer_list<Value> elements) : items(elements) {}
FrozenSet::FrozenSet(List elements) : items(std::move(elements)) {}
bool FrozenSet::operator==(const FrozenSet& other) const { return equal_in_any_order(items, other.items, itself); }

Dict::Dict() = default;
Dict::Dict(std::initializer_list<Entry> made_of) : entries(made_of) {}
Dict::Dict(std::vector<Entry> made_of) : entries(std::move(made_of)) {}

std::size_t Dict::size() const { return entries.size(); }

const Value* Dict::find(const Value& key) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.first == key; });
  return found == entries.end() ? nullptr : &found->second;
}

const Value& Dict::at(const Value& key) const {
  const Value* found = find(key);
  if (found == nullptr) throw std::out_of_range("a dict has no key " + internal::short_key(key));
  return *found;
}

bool Dict::operator==(const Dict& other) const {
  return equal_in_any_order(entries, other.entries, [](const Entry& entry) -> const Value& { return entry.first; });
}

Record::Record() = default;
Record::Record(std::string type, std::vector<Field> made_of, RecordForm idiom)
    : type_name(std::move(type)), fields(std::move(made_of)), form(idiom) {}

const Value* Record::find(std::string_view name) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

const Value& Record::at(std::string_view name) const {
  const Value* found = find(name);
  if (found == nullptr) throw std::out_of_range("a " + type_name + " record has no field " + internal::quote(name));
  return *found;
}

bool Record::operator==(const Record& other) const {
  return type_name == other.type_name && form == other.form && fields == other.fields;
}

}  // namespace callgate
