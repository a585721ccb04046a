// Values of one piece that C++ has no type of its own for: bytes, text with lone surrogates, large integers, decimals,
// UUIDs. Each keeps what Python told apart.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace callgate {

/// Python's bytes; a std::string is Python's str.
struct Bytes {
  /// The bytes.
  std::string data;

  /// Whether both have the same bytes.
  bool operator==(const Bytes&) const = default;
};

/// A str with lone surrogates (a POSIX file name that is no UTF-8), as UTF-8 with each surrogate encoded as if it were
/// a character ("WTF-8"). A Value made of one without surrogates holds a std::string.
struct SurrogateString {
  /// The text's bytes.
  std::string wtf8;

  /// Whether both have the same text.
  bool operator==(const SurrogateString&) const = default;
};

/// An int of any size. A Value made of one within 64 bits holds a std::int64_t.
class BigInt {
 public:
  /// Zero.
  BigInt() : bytes_(1, '\0') {}

  /// Takes two's complement, big-endian bytes of any length of 1 or more.
  /// @throws std::invalid_argument if there are none.
  static BigInt from_bytes(std::string bytes);

  /// Takes a number.
  static BigInt from_int(std::int64_t number);

  /// Takes a number without a sign.
  static BigInt from_unsigned(std::uint64_t number);

  /// Takes decimal digits, a "-" before them if negative.
  /// @throws std::invalid_argument for other text.
  static BigInt parse(std::string_view digits);

  /// Two's complement, big-endian, as short as possible.
  const std::string& bytes() const { return bytes_; }

  /// The number, if 64 bits hold it.
  std::optional<std::int64_t> to_int64() const;

  /// The number, if 64 bits without a sign hold it.
  std::optional<std::uint64_t> to_uint64() const;

  /// Whether it is below zero.
  bool negative() const { return (static_cast<unsigned char>(bytes_.front()) & 0x80U) != 0; }

  /// Its decimal digits; takes time with the square of the length.
  std::string str() const;

  /// Whether both are the same number.
  bool operator==(const BigInt&) const = default;

 private:
  explicit BigInt(std::string bytes);

  std::string bytes_;
};

/// decimal.Decimal, by its text: "1.50", "-0E+3", "NaN", "sNaN12", "-Infinity". The trailing zero is part of it.
struct Decimal {
  /// The text, in the notation of Python's str(Decimal).
  std::string text;

  /// Whether both have the same text: 1.5 and 1.50 differ here.
  bool operator==(const Decimal&) const = default;
};

/// uuid.UUID.
struct Uuid {
  /// The 16 bytes, big-endian.
  std::array<std::uint8_t, 16> bytes{};

  /// Takes "12345678-1234-5678-1234-567812345678".
  /// @throws std::invalid_argument for other text.
  static Uuid parse(std::string_view text);

  /// The text with hyphens.
  std::string str() const;

  /// Whether both are the same.
  bool operator==(const Uuid&) const = default;
};

}  // namespace callgate
