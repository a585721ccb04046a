// Values as text, much as Python shows them.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "callgate/value.h"
#include "quote.h"
#include "utf8.h"

namespace callgate {

namespace {

std::string hex_escape(unsigned char byte) {
  std::array<char, 8> made{};
  std::snprintf(made.data(), made.size(), "\\x%02x", byte);
  return made.data();
}

std::string escaped(std::string_view text, bool ascii) {
  std::string made = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') {
      made += '\\';
      made += c;
    } else if (c == '\n') {
      made += "\\n";
    } else if (byte < 0x20 || byte == 0x7F || (ascii && byte >= 0x80)) {
      made += hex_escape(byte);
    } else {
      made += c;
    }
  }
  return made + "'";
}

std::string number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string made(text.data(), end);
  if (made.find_first_of(".e") == std::string::npos) made += ".0";
  return made;
}

std::string two(std::int32_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

std::string show(const Date& date) {
  std::string year = std::to_string(date.year);
  year.insert(0, year.size() < 4 ? 4 - year.size() : 0, '0');
  return year + "-" + two(date.month) + "-" + two(date.day);
}

std::string show(const TimeDelta& span) {
  return std::to_string(span.days) + "d" + std::to_string(span.seconds) + "s" + std::to_string(span.microseconds) +
         "us";
}

std::string show(const TimeOfDay& time) {
  std::string made = two(time.hour) + ":" + two(time.minute) + ":" + two(time.second);
  if (time.microsecond != 0) {
    const std::string digits = std::to_string(time.microsecond);
    made += "." + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
  }
  if (time.fold) made += " fold=1";
  if (time.zone) {
    if (time.zone->utc_offset) made += " " + show(*time.zone->utc_offset);
    if (!time.zone->key.empty()) made += " " + time.zone->key;
    if (!time.zone->name.empty()) made += " " + internal::quote(time.zone->name);
  }
  return made;
}

std::string show_all(const List& items, std::string_view open, std::string_view close) {
  std::string made(open);
  for (const Value& item : items) {
    if (&item != &items.front()) made += ", ";
    made += repr(item);
  }
  return made.append(close);
}

struct Shown {
  std::string operator()(std::monostate) const { return "None"; }
  std::string operator()(bool value) const { return value ? "True" : "False"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(const BigInt& value) const {
    constexpr std::size_t showable = 2000;  // beyond, the digits take too long
    return value.bytes().size() <= showable ? value.str()
                                            : "<int of " + std::to_string(value.bytes().size()) + " bytes>";
  }
  std::string operator()(double value) const { return number(value); }
  std::string operator()(const std::string& value) const { return escaped(value, false); }
  std::string operator()(const SurrogateString& value) const { return escaped(value.wtf8, true); }
  std::string operator()(const Bytes& value) const { return internal::quote_bytes(value.data); }
  std::string operator()(const List& value) const { return show_all(value, "[", "]"); }
  std::string operator()(const Tuple& value) const {
    return show_all(value.items, "(", value.items.size() == 1 ? ",)" : ")");
  }
  std::string operator()(const Set& value) const {
    return value.items.empty() ? "set()" : show_all(value.items, "{", "}");
  }
  std::string operator()(const FrozenSet& value) const { return show_all(value.items, "frozenset({", "})"); }
  std::string operator()(const Dict& value) const {
    std::string made = "{";
    for (const auto& [key, item] : value.entries) made += (made.size() > 1 ? ", " : "") + repr(key) + ": " + repr(item);
    return made + "}";
  }
  std::string operator()(const std::complex<double>& value) const {
    return "(" + number(value.real()) + (std::signbit(value.imag()) ? "" : "+") + number(value.imag()) + "j)";
  }
  std::string operator()(const Decimal& value) const { return "Decimal('" + value.text + "')"; }
  std::string operator()(const Date& value) const { return "date(" + show(value) + ")"; }
  std::string operator()(const TimeOfDay& value) const { return "time(" + show(value) + ")"; }
  std::string operator()(const DateTime& value) const {
    return "datetime(" + show(value.date) + " " + show(value.time) + ")";
  }
  std::string operator()(const TimeDelta& value) const { return "timedelta(" + show(value) + ")"; }
  std::string operator()(const Uuid& value) const { return "UUID('" + value.str() + "')"; }
  std::string operator()(const Tensor& value) const {
    std::string made = "<Tensor " + value.dtype + " (";
    for (const std::int64_t n : value.shape) made += std::to_string(n) + ",";
    return made + (value.scalar ? ") scalar>" : ")>");
  }
  std::string operator()(const ArrowStream& value) const {
    return "<ArrowStream of " + std::to_string(value.ipc_stream.size()) + " bytes>";
  }
  std::string operator()(const Record& value) const {
    std::string made = "<" + (value.type_name.empty() ? "Record" : value.type_name);
    for (const auto& [name, item] : value.fields) made += " " + name + "=" + repr(item);
    return made + ">";
  }
};

}  // namespace

std::string repr(const Value& value) { return value.visit(Shown{}); }

std::ostream& operator<<(std::ostream& stream, const Value& value) { return stream << repr(value); }

namespace internal {

std::string quote(std::string_view text, std::size_t most) {
  const bool readable = is_utf8(text);
  if (text.size() <= most) return escaped(text, !readable);
  std::size_t cut = most;
  while (readable && cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
  return escaped(text.substr(0, cut), !readable) + "…";
}

std::string quote_bytes(std::string_view bytes) {
  constexpr std::size_t most = 1000;
  if (bytes.size() > most) return "<" + std::to_string(bytes.size()) + " bytes>";
  return "b" + escaped(bytes, true);
}

std::string short_key(const Value& key) {
  if (const auto* text = key.get_if<std::string>()) return quote(*text);
  std::string shown = repr(key);
  if (shown.size() <= 80) return shown;
  return "a " + std::string(key.type_name());
}

}  // namespace internal

}  // namespace callgate
