// What the runner's files share: JSON, and values as hex.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "callgate/callgate.h"

namespace runner {

using Json = nlohmann::json;

/// A value from the hex of a serialized callgate.v1.Value. @throws callgate::ValueDecodeError if the client refuses it.
callgate::Value value_of(const std::string& hex);

/// The hex of a value, serialized by the client.
std::string hex_of(const callgate::Value& value);

/// What the client threw, as an object; to be called in a catch block for callgate::Error.
Json failure_of(const callgate::Error& error);

/// A key's content; nothing if it is absent or null.
template <class T>
std::optional<T> optional(const Json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || found->is_null()) return std::nullopt;
  return found->get<T>();
}

}  // namespace runner
