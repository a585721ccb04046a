// Values ↔ messages.
#pragma once

#include <string_view>

#include "callgate/codec.h"
#include "callgate/v1/value.pb.h"

namespace callgate::internal {

/// Fills a message, fresh, with a value. @throws ValueFormError, whose path starts with `path`.
void encode_into(const Value& value, v1::Value& target, std::string_view path, const Limits& limits = {});

/// Makes a value of a message, whose strings are moved out. @throws ValueDecodeError, whose path starts with `path`.
Value decode_from(v1::Value& message, std::string_view path, const Limits& limits = {});

}  // namespace callgate::internal
