// The table of well-formed sequences is Unicode's: https://www.unicode.org/versions/Unicode15.0.0/ch03.pdf, table 3-7.
#include "utf8.h"

#include <cstdint>
#include <cstring>

namespace callgate::internal {

namespace {

// How many bytes the sequence at the start has, 0 if it is none.
std::size_t sequence(std::string_view bytes, bool& surrogate) {
  const auto at = [&](std::size_t index) {
    return index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : static_cast<unsigned char>(0);
  };
  const auto continues = [&](std::size_t index) { return (at(index) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  const unsigned second = at(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!continues(1) || !continues(2) || (first == 0xE0 && second < 0xA0)) return 0;
    surrogate = surrogate || (first == 0xED && second >= 0xA0);
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool in_range = !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
    return in_range && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

Text classify(std::string_view bytes, std::size_t* bad) {
  bool surrogate = false;
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint64_t eight = 0;
    if (bytes.size() - at >= sizeof(eight)) {  // most text is ASCII
      std::memcpy(&eight, bytes.data() + at, sizeof(eight));
      if ((eight & 0x8080808080808080U) == 0) {
        at += sizeof(eight);
        continue;
      }
    }
    if (static_cast<unsigned char>(bytes[at]) < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = sequence(bytes.substr(at, 4), surrogate);
    if (length == 0) {
      if (bad != nullptr) *bad = at;
      return Text::neither;
    }
    at += length;
  }
  return surrogate ? Text::surrogates : Text::utf8;
}

}  // namespace callgate::internal
