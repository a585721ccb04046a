// Containers of Values that C++ has no type of its own for, in the words of Python. Python's list is List, a
// std::vector<Value>.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace callgate {

class Value;

/// Python's list.
using List = std::vector<Value>;

/// Python's tuple.
struct Tuple {
  /// The elements.
  List items;

  /// The empty tuple.
  Tuple();
  /// A tuple of these.
  Tuple(std::initializer_list<Value> elements);
  /// A tuple of these.
  explicit Tuple(List elements);
  /// Whether both have equal elements.
  bool operator==(const Tuple& other) const;
};

/// Python's set; each element hashable, none twice, in any order.
struct Set {
  /// The elements.
  List items;

  /// The empty set.
  Set();
  /// A set of these.
  Set(std::initializer_list<Value> elements);
  /// A set of these.
  explicit Set(List elements);
  /// Whether both have equal elements, in any order.
  bool operator==(const Set& other) const;
};

/// Python's frozenset; as Set.
struct FrozenSet {
  /// The elements.
  List items;

  /// The empty frozenset.
  FrozenSet();
  /// A frozenset of these.
  FrozenSet(std::initializer_list<Value> elements);
  /// A frozenset of these.
  explicit FrozenSet(List elements);
  /// Whether both have equal elements, in any order.
  bool operator==(const FrozenSet& other) const;
};

/// Python's dict: entries in the dict's order, keys of any hashable kind, none twice.
struct Dict {
  /// A key and its value.
  using Entry = std::pair<Value, Value>;

  /// The entries.
  std::vector<Entry> entries;

  /// The empty dict.
  Dict();
  /// A dict of these.
  Dict(std::initializer_list<Entry> made_of);
  /// A dict of these.
  explicit Dict(std::vector<Entry> made_of);

  /// How many entries there are.
  std::size_t size() const;
  /// A key's value, null if there is none; looks through the entries.
  const Value* find(const Value& key) const;
  /// A key's value. @throws std::out_of_range if there is none.
  const Value& at(const Value& key) const;
  /// Whether both have equal entries, in any order.
  bool operator==(const Dict& other) const;
};

/// Which Python idiom a Record came from; the numbers are those of callgate.v1.RecordForm.
enum class RecordForm {
  unspecified = 0,
  dataclass = 1,
  namedtuple = 2,
  enumeration = 3,
  pydantic = 4,
  attrs = 5,
};

/// An instance of a named type: a dataclass, namedtuple, pydantic model or attrs class, or an Enum's member, whose
/// fields are "name" and "value".
struct Record {
  /// A field's name and value.
  using Field = std::pair<std::string, Value>;

  /// The type, "module:Qualified.name".
  std::string type_name;
  /// The fields, in order, no name twice.
  std::vector<Field> fields;
  /// Which idiom the type is.
  RecordForm form = RecordForm::unspecified;

  /// A record without fields.
  Record();
  /// A record of these.
  explicit Record(std::string type, std::vector<Field> made_of = {}, RecordForm idiom = RecordForm::unspecified);

  /// A field's value, null if there is none.
  const Value* find(std::string_view name) const;
  /// A field's value. @throws std::out_of_range if there is none.
  const Value& at(std::string_view name) const;
  /// Whether both have the same type and equal fields.
  bool operator==(const Record& other) const;
};

}  // namespace callgate
