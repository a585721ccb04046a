#include "rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>

#include "quote.h"
#include "utf8.h"

namespace callgate::internal {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto length = static_cast<std::size_t>(end - text.begin());
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

bool take(std::string_view& text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t at = 0; at < lower.size(); ++at) {
    const char c = text[at];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != lower[at]) return false;
  }
  text.remove_prefix(lower.size());
  return true;
}

__extension__ using Wide = __int128;  // GCC and Clang have it; for products of sizes that may overflow

// The exponents that libmpdec, Python's decimal, holds on 64-bit machines.
constexpr std::int64_t largest_exponent = 999'999'999'999'999'999;
constexpr std::int64_t smallest_exponent = -1'999'999'999'999'999'997;

bool exponent_fits(std::string_view exponent, std::int64_t whole_digits) {
  std::int64_t number = 0;
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  const auto [end, error] = std::from_chars(exponent.data(), exponent.data() + exponent.size(), number);
  if (error != std::errc{} || end != exponent.data() + exponent.size()) return false;
  return number >= smallest_exponent && number <= largest_exponent - std::max<std::int64_t>(whole_digits - 1, 0);
}

bool is_zone_key(std::string_view key) {
  constexpr std::size_t longest = 64;  // the longest in use has 32
  constexpr int most_parts = 4;
  if (key.size() > longest) return false;
  bool at_start = true;
  int parts = 1;
  for (const char c : key) {
    if (c == '/') {
      if (at_start || ++parts > most_parts) return false;
      at_start = true;
    } else if (is_alphanumeric(c) || (!at_start && (c == '_' || c == '+' || c == '-'))) {
      at_start = false;
    } else {
      return false;
    }
  }
  return !at_start;
}

std::string zone_problem(const TimeZone& zone) {
  if (!zone.key.empty() && !is_zone_key(zone.key)) {
    return quote(zone.key) + " is no key of the IANA time zone database";
  }
  if (!is_utf8(zone.name)) return "a time zone's name is not UTF-8";
  if (zone.key.empty() && !zone.utc_offset) return "a time zone has neither a key nor an offset";
  if (!zone.utc_offset) return {};
  const TimeDelta& offset = *zone.utc_offset;
  if (std::string problem = span_problem(offset); !problem.empty()) return problem;
  // Strictly between -24 and 24 hours, as datetime.timezone wants it.
  const bool fits = offset.days == 0 || (offset.days == -1 && (offset.seconds > 0 || offset.microseconds > 0));
  return fits ? "" : "a time zone's offset is a day or more";
}

std::string between(std::string_view what, std::int64_t number, std::int64_t low, std::int64_t high) {
  if (number >= low && number <= high) return {};
  return std::string(what) + " " + std::to_string(number) + " is not in " + std::to_string(low) + ".." +
         std::to_string(high);
}

bool is_unit(std::string_view unit) {
  constexpr std::array<std::string_view, 13> units{"Y",  "M",  "W",  "D",  "h",  "m", "s",
                                                   "ms", "us", "ns", "ps", "fs", "as"};
  return std::find(units.begin(), units.end(), unit) != units.end();
}

// "", "[ns]", "[25s]"
bool is_time_unit(std::string_view rest) {
  if (rest.empty()) return true;
  if (!rest.starts_with('[') || !rest.ends_with(']')) return false;
  rest = rest.substr(1, rest.size() - 2);
  const std::string_view digits = take_digits(rest);
  return (digits.empty() || (digits.size() <= 9 && digits.front() != '0')) && is_unit(rest);
}

// Bytes that an element takes; nothing if there is no such dtype.
std::optional<std::int64_t> element_size(std::string_view dtype) {
  static const std::map<std::string_view, std::int64_t> sizes{
      {"bool", 1},          {"int8", 1},           {"int16", 2},         {"int32", 4},
      {"int64", 8},         {"uint8", 1},          {"uint16", 2},        {"uint32", 4},
      {"uint64", 8},        {"float16", 2},        {"float32", 4},       {"float64", 8},
      {"complex64", 8},     {"complex128", 16},    {"bfloat16", 2},      {"float8_e3m4", 1},
      {"float8_e4m3", 1},   {"float8_e4m3fn", 1},  {"float8_e5m2", 1},   {"float8_e4m3b11fnuz", 1},
      {"float8_e4m3fnuz", 1}, {"float8_e5m2fnuz", 1}, {"float8_e8m0fnu", 1}};
  if (const auto found = sizes.find(dtype); found != sizes.end()) return found->second;
  if (dtype.size() > 32) return std::nullopt;
  for (const std::string_view kind : {"datetime64", "timedelta64"}) {
    if (dtype.starts_with(kind)) return is_time_unit(dtype.substr(kind.size())) ? std::optional(8) : std::nullopt;
  }
  if (!dtype.starts_with('S') && !dtype.starts_with('U')) return std::nullopt;
  std::string_view rest = dtype.substr(1);
  const std::string_view digits = take_digits(rest);
  if (!rest.empty() || digits.empty() || digits.size() > 9 || (digits.front() == '0' && digits.size() > 1)) {
    return std::nullopt;
  }
  std::int64_t width = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), width);
  return width * (dtype.front() == 'U' ? 4 : 1);
}

}  // namespace

std::string decimal_problem(std::string_view text) {
  const auto wrong = [&] { return "a decimal is no decimal number: " + quote(text.substr(0, 40)); };
  std::string_view rest = text;
  if (rest.starts_with('-')) rest.remove_prefix(1);
  if (take(rest, "infinity")) return rest.empty() ? "" : wrong();
  if (take(rest, "nan") || take(rest, "snan")) {
    take_digits(rest);
    return rest.empty() ? "" : wrong();
  }
  const auto whole_digits = static_cast<std::int64_t>(take_digits(rest).size());
  bool fraction = false;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = !take_digits(rest).empty();
  }
  if (whole_digits == 0 && !fraction) return wrong();
  if (rest.empty()) return {};
  if (!take(rest, "e")) return wrong();
  std::string_view digits = rest;
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  const bool some = !take_digits(digits).empty();
  if (!some || !digits.empty()) return wrong();
  return exponent_fits(rest, whole_digits) ? "" : "a decimal is out of range: " + quote(text.substr(0, 40));
}

std::string date_problem(const Date& date) {
  if (std::string problem = between("year", date.year, 1, 9999); !problem.empty()) return "no such date: " + problem;
  if (std::string problem = between("month", date.month, 1, 12); !problem.empty()) return "no such date: " + problem;
  if (date.day < 1 || date.day > 31 || !date.to_chrono().ok()) {
    return "no such date: day " + std::to_string(date.day) + " is out of range for the month";
  }
  return {};
}

std::string time_problem(const TimeOfDay& time) {
  for (std::string problem : {between("hour", time.hour, 0, 23), between("minute", time.minute, 0, 59),
                              between("second", time.second, 0, 59),
                              between("microsecond", time.microsecond, 0, 999'999)}) {
    if (!problem.empty()) return "no such time: " + problem;
  }
  return time.zone ? zone_problem(*time.zone) : "";
}

std::string span_problem(const TimeDelta& span) {
  constexpr std::int64_t most_days = 999'999'999;
  for (std::string problem : {between("days", span.days, -most_days, most_days), between("seconds", span.seconds, 0, 86'399),
                              between("microseconds", span.microseconds, 0, 999'999)}) {
    if (!problem.empty()) return "no normalized timedelta (see TimeDelta::of): " + problem;
  }
  return {};
}

std::string tensor_problem(const Tensor& tensor, std::int64_t elements) {
  const auto size = element_size(tensor.dtype);
  if (!size) return "a tensor has an unknown dtype: " + quote(tensor.dtype.substr(0, 40));
  constexpr std::size_t most_dimensions = 32;  // numpy 1's limit
  const auto& shape = tensor.shape;
  if (shape.size() > most_dimensions || std::any_of(shape.begin(), shape.end(), [](auto n) { return n < 0; })) {
    return "a tensor's shape has at most 32 dimensions of 0 or more";
  }
  if (tensor.scalar && !shape.empty()) return "a tensor is said to be a scalar and has a shape";
  // A dimension of zero makes the product zero, whatever the others are; else anything above 2**62 cannot have bytes.
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  constexpr Wide too_many = Wide{1} << 62;
  Wide count = empty ? 0 : 1;
  for (const std::int64_t n : shape) {
    count = std::min(count * n, too_many);
  }
  const Wide wanted = count * *size;
  if (wanted != static_cast<Wide>(tensor.data.size())) {
    const std::string takes = wanted < too_many ? std::to_string(static_cast<std::int64_t>(wanted)) : "too many";
    return "a tensor of its shape and dtype " + tensor.dtype + " takes " + takes + " bytes, and has " +
           std::to_string(tensor.data.size());
  }
  if (*size == 0 && count > elements) return "a tensor of elements without width has too many of them";
  return {};
}

}  // namespace callgate::internal
