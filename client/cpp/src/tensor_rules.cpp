// Which dtypes there are, and whether a tensor's bytes fit its dtype and shape.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "quote.h"
#include "rules.h"

namespace callgate::internal {

namespace {

__extension__ using Wide = __int128;  // GCC and Clang have it; for products of sizes that may overflow

std::string_view leading_digits(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
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
  const std::string_view digits = leading_digits(rest);
  rest.remove_prefix(digits.size());
  return (digits.empty() || (digits.size() <= 9 && digits.front() != '0')) && is_unit(rest);
}

// Bytes that an element takes; nothing if there is no such dtype.
std::optional<std::int64_t> element_size(std::string_view dtype) {
  static const std::map<std::string_view, std::int64_t> sizes{
      {"bool", 1},
      {"int8", 1},
      {"int16", 2},
      {"int32", 4},
      {"int64", 8},
      {"uint8", 1},
      {"uint16", 2},
      {"uint32", 4},
      {"uint64", 8},
      {"float16", 2},
      {"float32", 4},
      {"float64", 8},
      {"complex64", 8},
      {"complex128", 16},
      {"bfloat16", 2},
      {"float8_e3m4", 1},
      {"float8_e4m3", 1},
      {"float8_e4m3fn", 1},
      {"float8_e5m2", 1},
      {"float8_e4m3b11fnuz", 1},
      {"float8_e4m3fnuz", 1},
      {"float8_e5m2fnuz", 1},
      {"float8_e8m0fnu", 1},
      // Long doubles by their format, see docs/adr/0009-long-doubles.md.
      {"longdouble[x87]", 10},
      {"longdouble[binary128]", 16},
      {"longdouble[double-double]", 16},
      {"clongdouble[x87]", 20},
      {"clongdouble[binary128]", 32},
      {"clongdouble[double-double]", 32}};
  if (const auto found = sizes.find(dtype); found != sizes.end()) return found->second;
  if (dtype.size() > 32) return std::nullopt;
  for (const std::string_view kind : {"datetime64", "timedelta64"}) {
    if (dtype.starts_with(kind)) return is_time_unit(dtype.substr(kind.size())) ? std::optional(8) : std::nullopt;
  }
  if (!dtype.starts_with('S') && !dtype.starts_with('U')) return std::nullopt;
  const std::string_view digits = leading_digits(dtype.substr(1));
  if (digits.size() + 1 != dtype.size() || digits.empty() || digits.size() > 9 ||
      (digits.front() == '0' && digits.size() > 1)) {
    return std::nullopt;
  }
  std::int64_t width = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), width);
  return width * (dtype.front() == 'U' ? 4 : 1);
}

// The x87 format writes the leading bit of the significand out, and so has bit patterns in which it contradicts the
// exponent: they are no numbers, and libraries disagree about them.
std::string x87_problem(const Tensor& tensor) {
  constexpr std::size_t x87_bytes = 10;
  if (!tensor.dtype.ends_with("longdouble[x87]")) return {};
  for (std::size_t at = 0; at + x87_bytes <= tensor.data.size(); at += x87_bytes) {
    const auto byte = [&](std::size_t place) { return static_cast<unsigned char>(tensor.data[at + place]); };
    const bool leading = (byte(7) & 0x80U) != 0;
    const bool exponent = byte(8) != 0 || (byte(9) & 0x7FU) != 0;
    if (leading != exponent) {
      const std::size_t index = at / (tensor.dtype.starts_with('c') ? 2 * x87_bytes : x87_bytes);
      return "element " + std::to_string(index) + " of a tensor of dtype " + tensor.dtype +
             " is no number of this format: its leading bit contradicts its exponent";
    }
  }
  return {};
}

}  // namespace

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
  if (std::string problem = x87_problem(tensor); !problem.empty()) return problem;
  if (*size == 0 && count > elements) return "a tensor of elements without width has too many of them";
  return {};
}

}  // namespace callgate::internal
