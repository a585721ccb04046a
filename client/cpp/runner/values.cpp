// Values as hex.
#include <stdexcept>
#include <string_view>

#include "json.h"

namespace runner {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

unsigned nibble(char digit) {
  const std::size_t at = digits.find(digit);
  if (at == std::string_view::npos) throw std::invalid_argument("values are lower-case hex");
  return static_cast<unsigned>(at);
}

}  // namespace

callgate::Value value_of(const std::string& hex) {
  if (hex.size() % 2 != 0) throw std::invalid_argument("hex has an even number of digits");
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    bytes += static_cast<char>(nibble(hex[at]) << 4U | nibble(hex[at + 1]));
  }
  return callgate::decode(bytes);
}

std::string hex_of(const callgate::Value& value) {
  std::string hex;
  for (const char c : callgate::encode(value)) {
    const auto byte = static_cast<unsigned char>(c);
    hex += digits[byte >> 4U];
    hex += digits[byte & 0xFU];
  }
  return hex;
}

}  // namespace runner
