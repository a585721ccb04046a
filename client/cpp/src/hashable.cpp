#include "hashable.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace callgate::internal {

namespace {

void put_text(std::string& key, char tag, std::string_view text) {
  key += tag;
  key += std::to_string(text.size());
  key += ':';
  key += text;
}

void put_number(std::string& key, const BigInt& whole) { put_text(key, 'n', whole.bytes()); }

void put_number(std::string& key, double value) {
  constexpr double two_63 = 9223372036854775808.0;
  if (std::isnan(value)) {
    key += 'N';  // the caller sees to it that no NaN equals another
    return;
  }
  if (value == std::floor(value) && std::abs(value) < two_63) {
    put_number(key, BigInt::from_int(static_cast<std::int64_t>(value)));
    return;
  }
  int exponent = 0;
  const double fraction = std::isinf(value) ? value : std::frexp(value, &exponent);
  if (!std::isinf(value) && value == std::floor(value)) {  // whole and beyond 64 bits: the 53 bits, shifted
    constexpr int mantissa_bits = std::numeric_limits<double>::digits;
    const auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, mantissa_bits));
    const int shift = exponent - mantissa_bits;
    std::string bytes = BigInt::from_int(mantissa * (std::int64_t{1} << (shift % 8))).bytes();
    bytes.append(static_cast<std::size_t>(shift / 8), '\0');
    put_number(key, BigInt::from_bytes(std::move(bytes)));
    return;
  }
  const auto bits = std::bit_cast<std::uint64_t>(value);
  put_text(key, 'f', {reinterpret_cast<const char*>(&bits), sizeof(bits)});
}

// A decimal by its digits without zeros at either end; as an int where it is a whole number of few digits.
void put_decimal(std::string& key, std::string_view text) {
  const bool minus = text.starts_with('-');
  if (minus) text.remove_prefix(1);
  if (text.empty() || !((text.front() >= '0' && text.front() <= '9') || text.front() == '.')) {
    const bool infinity = !text.empty() && (text.front() | 0x20) == 'i';
    if (infinity) {
      put_number(key, minus ? -INFINITY : INFINITY);
    } else {
      key += 'N';
    }
    return;
  }
  const std::size_t mark = text.find_first_of("eE");
  std::int64_t exponent = 0;
  if (mark != std::string_view::npos) {
    std::string_view digits = text.substr(mark + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    text = text.substr(0, mark);
  }
  std::string digits(text);
  if (const std::size_t point = digits.find('.'); point != std::string::npos) {
    exponent -= static_cast<std::int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty()) {
    put_number(key, BigInt());
    return;
  }
  constexpr std::int64_t few_digits = 400;  // the largest double has 309
  if (exponent >= 0 && exponent + static_cast<std::int64_t>(digits.size()) <= few_digits) {
    put_number(key, BigInt::parse((minus ? "-" : "") + digits + std::string(static_cast<std::size_t>(exponent), '0')));
    return;
  }
  put_text(key, minus ? 'e' : 'd', digits + "E" + std::to_string(exponent));
}

void put_all(std::string& key, std::vector<std::string> parts) {
  for (const std::string& part : parts) put_text(key, '.', part);
}

struct Writer {
  std::string& key;
  std::string_view& unhashable;

  bool operator()(std::monostate) const { return tagged('0', {}); }
  bool operator()(bool value) const { return whole(BigInt::from_int(value ? 1 : 0)); }
  bool operator()(std::int64_t value) const { return whole(BigInt::from_int(value)); }
  bool operator()(const BigInt& value) const { return whole(value); }
  bool operator()(double value) const {
    put_number(key, value);
    return true;
  }
  bool operator()(const std::string& value) const { return tagged('s', value); }
  bool operator()(const SurrogateString& value) const { return tagged('s', value.wtf8); }
  bool operator()(const Bytes& value) const { return tagged('b', value.data); }
  bool operator()(const List&) const { return refuse("list"); }
  bool operator()(const Set&) const { return refuse("set"); }
  bool operator()(const Dict&) const { return refuse("dict"); }
  bool operator()(const ArrowStream&) const { return refuse("Arrow table"); }
  bool operator()(const Tuple& value) const { return nested('t', value.items, false); }
  bool operator()(const FrozenSet& value) const { return nested('z', value.items, true); }
  bool operator()(const std::complex<double>& value) const {
    if (value.imag() != 0) key += 'c';
    put_number(key, value.real());
    if (value.imag() != 0) put_number(key, value.imag());
    return true;
  }
  bool operator()(const Decimal& value) const {
    put_decimal(key, value.text);
    return true;
  }
  bool operator()(const Date& value) const { return tagged('D', repr(value)); }
  bool operator()(const TimeOfDay& value) const { return tagged('T', repr(value)); }
  bool operator()(const DateTime& value) const { return tagged('M', repr(value)); }
  bool operator()(const TimeDelta& value) const { return tagged('S', repr(value)); }
  bool operator()(const Uuid& value) const { return tagged('u', value.str()); }
  bool operator()(const Tensor& value) const {
    if (!value.scalar) return refuse("numpy array");
    put_text(key, 'a', value.dtype);
    return tagged('.', value.data);
  }
  bool operator()(const Record& value) const {
    put_text(key, 'r', value.type_name);
    for (const auto& [name, item] : value.fields) {
      put_text(key, '.', name);
      const auto inner = hash_key(item, unhashable);
      if (!inner) return false;
      put_text(key, '=', *inner);
    }
    return true;
  }

 private:
  bool whole(const BigInt& value) const {
    put_number(key, value);
    return true;
  }
  bool tagged(char tag, std::string_view text) const {
    put_text(key, tag, text);
    return true;
  }
  bool refuse(std::string_view name) const {
    unhashable = name;
    return false;
  }
  bool nested(char tag, const List& items, bool any_order) const {
    std::vector<std::string> parts;
    parts.reserve(items.size());
    for (const Value& item : items) {
      auto part = hash_key(item, unhashable);
      if (!part) return false;
      parts.push_back(std::move(*part));
    }
    if (any_order) std::sort(parts.begin(), parts.end());
    key += tag;
    put_all(key, std::move(parts));
    return true;
  }
};

// A NaN is not equal to itself: neither is a key that is one or has one inside, by the tag alone.
bool is_nan(const std::string& key) { return key == "N"; }

}  // namespace

std::optional<std::string> hash_key(const Value& value, std::string_view& unhashable) {
  std::string key;
  Writer writer{key, unhashable};
  if (!value.visit(writer)) return std::nullopt;
  return key;
}

bool has_duplicates(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  const auto same = [](const std::string& left, const std::string& right) { return left == right && !is_nan(left); };
  return std::adjacent_find(keys.begin(), keys.end(), same) != keys.end();
}

}  // namespace callgate::internal
