// Keys of dicts and elements of sets: which values may be one, and which are the same to Python.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "callgate/value.h"

namespace callgate::internal {

/// Bytes that are equal for values that Python's dict takes for one key: 1, 1.0 and True are. Decimals are compared
/// with numbers only where they are whole, and datetimes by what their clocks show.
/// @returns nothing for a value that is not hashable, with `unhashable` set to its type's name.
std::optional<std::string> hash_key(const Value& value, std::string_view& unhashable);

/// Whether two of the keys are equal. Takes n log n time, whatever a stranger chose them to be.
bool has_duplicates(std::vector<std::string> keys);

}  // namespace callgate::internal
