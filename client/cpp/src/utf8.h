// Whether bytes are UTF-8, or UTF-8 with lone surrogates.
#pragma once

#include <cstddef>
#include <string_view>

namespace callgate::internal {

/// What some bytes are.
enum class Text { utf8, surrogates, neither };

/// Looks at bytes. `surrogates`: each surrogate is encoded as if it were a character (Python's "surrogatepass"), and
/// there is at least one. `bad`, if given, is set to where bytes that are neither begin.
Text classify(std::string_view bytes, std::size_t* bad = nullptr);

/// Whether bytes are UTF-8.
inline bool is_utf8(std::string_view bytes) { return classify(bytes) == Text::utf8; }

}  // namespace callgate::internal
