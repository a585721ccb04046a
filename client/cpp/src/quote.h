// Text as Python's repr() shows it.
#pragma once

#include <string>
#include <string_view>

#include "callgate/value.h"

namespace callgate::internal {

/// Text in quotes, with what cannot be shown escaped; cut after 80 bytes or so.
std::string quote(std::string_view text, std::size_t most = 80);

/// Bytes as b'…'.
std::string quote_bytes(std::string_view bytes);

/// A dict's key, for a path: "'model'", "(1, 'x')"; cut if long.
std::string short_key(const Value& key);

}  // namespace callgate::internal
