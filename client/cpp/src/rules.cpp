#include "rules.h"

#include <algorithm>
#include <charconv>
#include <chrono>

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
  for (std::string problem :
       {between("hour", time.hour, 0, 23), between("minute", time.minute, 0, 59), between("second", time.second, 0, 59),
        between("microsecond", time.microsecond, 0, 999'999)}) {
    if (!problem.empty()) return "no such time: " + problem;
  }
  return time.zone ? zone_problem(*time.zone) : "";
}

std::string span_problem(const TimeDelta& span) {
  constexpr std::int64_t most_days = 999'999'999;
  for (std::string problem :
       {between("days", span.days, -most_days, most_days), between("seconds", span.seconds, 0, 86'399),
        between("microseconds", span.microseconds, 0, 999'999)}) {
    if (!problem.empty()) return "no normalized timedelta (see TimeDelta::of): " + problem;
  }
  return {};
}

}  // namespace callgate::internal
