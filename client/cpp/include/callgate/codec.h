// Values as the bytes of a callgate.v1.Value: what calls do by themselves, for files, queues and tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "callgate/value.h"

namespace callgate {

/// How deep values may nest, and how much they may hold, in one message.
struct Limits {
  /// Levels of containers; 100 is what JSON parsers commonly take, and the server's own default.
  int depth = 100;
  /// Elements of all containers together; arbitrary, about 500 MB of Values.
  std::int64_t elements = 10'000'000;
  /// Bytes of all strings, bytes and arrays together; 2 GiB is what protobuf takes at most.
  std::int64_t bytes = (std::int64_t{1} << 31) - 1;
};

/// Serializes a value as a callgate.v1.Value, in the form that every client writes.
/// @param path how errors name the value.
/// @throws ValueFormError if the value cannot be sent.
std::string encode(const Value& value, std::string_view path = "value", const Limits& limits = {});

/// Reads a serialized callgate.v1.Value, in any form that a client may write.
/// @param path how errors name the value.
/// @throws ValueDecodeError if it is no value that Python could hold, or goes beyond a limit.
Value decode(std::string_view bytes, std::string_view path = "value", const Limits& limits = {});

}  // namespace callgate
