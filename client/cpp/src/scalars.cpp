// Large integers and UUIDs: their bytes and their text.
#include "callgate/scalars.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <vector>

namespace callgate {

namespace {

using Byte = unsigned char;

void negate(std::string& bytes) {
  unsigned carry = 1;
  for (auto at = bytes.rbegin(); at != bytes.rend(); ++at) {
    const unsigned sum = (~static_cast<unsigned>(static_cast<Byte>(*at)) & 0xFFU) + carry;
    *at = static_cast<char>(sum & 0xFFU);
    carry = sum >> 8U;
  }
}

std::string shortest(std::string bytes) {
  std::size_t drop = 0;
  while (drop + 1 < bytes.size()) {
    const Byte first = static_cast<Byte>(bytes[drop]);
    const bool next_is_negative = (static_cast<Byte>(bytes[drop + 1]) & 0x80U) != 0;
    if (!(first == 0x00 && !next_is_negative) && !(first == 0xFF && next_is_negative)) break;
    ++drop;
  }
  return bytes.substr(drop);
}

constexpr std::uint32_t chunk = 1'000'000'000;  // nine decimal digits at a time
constexpr std::size_t chunk_digits = 9;

}  // namespace

BigInt::BigInt(std::string bytes) : bytes_(shortest(std::move(bytes))) {}

BigInt BigInt::from_bytes(std::string bytes) {
  if (bytes.empty()) throw std::invalid_argument("an integer has at least one byte");
  return BigInt(std::move(bytes));
}

BigInt BigInt::from_int(std::int64_t number) {
  std::string bytes(8, '\0');
  auto bits = static_cast<std::uint64_t>(number);
  for (auto at = bytes.rbegin(); at != bytes.rend(); ++at, bits >>= 8U) *at = static_cast<char>(bits & 0xFFU);
  return BigInt(std::move(bytes));
}

BigInt BigInt::from_unsigned(std::uint64_t number) {
  std::string bytes(9, '\0');
  for (auto at = bytes.rbegin(); at != bytes.rend(); ++at, number >>= 8U) *at = static_cast<char>(number & 0xFFU);
  return BigInt(std::move(bytes));
}

std::optional<std::int64_t> BigInt::to_int64() const {
  if (bytes_.size() > 8) return std::nullopt;
  std::uint64_t bits = negative() ? ~std::uint64_t{0} : 0;
  for (const char byte : bytes_) bits = bits << 8U | static_cast<Byte>(byte);
  return static_cast<std::int64_t>(bits);
}

std::optional<std::uint64_t> BigInt::to_uint64() const {
  if (negative() || bytes_.size() > 9) return std::nullopt;
  if (bytes_.size() == 9 && bytes_.front() != 0) return std::nullopt;
  std::uint64_t bits = 0;
  for (const char byte : bytes_) bits = bits << 8U | static_cast<Byte>(byte);
  return bits;
}

BigInt BigInt::parse(std::string_view digits) {
  const bool minus = digits.starts_with('-');
  const std::string_view magnitude = digits.substr(minus ? 1 : 0);
  if (magnitude.empty() ||
      !std::all_of(magnitude.begin(), magnitude.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    throw std::invalid_argument("an integer is written in decimal digits");
  }
  std::vector<Byte> little{0};  // least significant first; the last is kept free for the sign
  for (const char digit : magnitude) {
    unsigned carry = static_cast<unsigned>(digit - '0');
    for (Byte& byte : little) {
      carry += byte * 10U;
      byte = static_cast<Byte>(carry & 0xFFU);
      carry >>= 8U;
    }
    if (carry != 0 || little.back() != 0) little.push_back(static_cast<Byte>(carry));
  }
  little.push_back(0);
  std::string bytes(little.rbegin(), little.rend());
  if (minus) negate(bytes);
  return BigInt(std::move(bytes));
}

std::string BigInt::str() const {
  std::string magnitude = bytes_;
  if (negative()) {
    magnitude.insert(magnitude.begin(), '\xFF');  // room for -2**63, whose magnitude has one bit more
    negate(magnitude);
  }
  std::vector<std::uint32_t> chunks{0};  // least significant first
  for (const char byte : magnitude) {
    std::uint64_t carry = static_cast<Byte>(byte);
    for (auto& each : chunks) {
      carry += std::uint64_t{each} << 8U;
      each = static_cast<std::uint32_t>(carry % chunk);
      carry /= chunk;
    }
    if (carry != 0) chunks.push_back(static_cast<std::uint32_t>(carry));
  }
  std::string text = negative() ? "-" : "";
  text += std::to_string(chunks.back());
  for (auto at = chunks.rbegin() + 1; at != chunks.rend(); ++at) {
    const std::string digits = std::to_string(*at);
    text.append(chunk_digits - digits.size(), '0').append(digits);
  }
  return text;
}

Uuid Uuid::parse(std::string_view text) {
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const auto fits = [](char c, char wanted) {
    return wanted == '-' ? c == '-' : std::isxdigit(static_cast<Byte>(c)) != 0;
  };
  if (text.size() != shape.size() || !std::equal(text.begin(), text.end(), shape.begin(), fits)) {
    throw std::invalid_argument("a UUID is written 12345678-1234-5678-1234-567812345678");
  }
  Uuid made;
  std::size_t nibble = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    auto& byte = made.bytes.at(nibble / 2);
    byte = static_cast<std::uint8_t>(byte << 4U | digit);
    ++nibble;
  }
  return made;
}

std::string Uuid::str() const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (at == 4 || at == 6 || at == 8 || at == 10) text += '-';
    text += digits[bytes.at(at) >> 4U];
    text += digits[bytes.at(at) & 0xFU];
  }
  return text;
}

}  // namespace callgate
