// Arrays and tables: typed bytes, for whichever library the program has.
#pragma once

#include <bit>
#include <complex>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace callgate {

namespace internal {
template <class T>
constexpr std::string_view dtype_of() {
  if constexpr (std::is_same_v<T, std::complex<double>>) return "complex128";
  if constexpr (std::is_same_v<T, std::complex<float>>) return "complex64";
  if constexpr (std::is_same_v<T, double>) return "float64";
  if constexpr (std::is_same_v<T, float>) return "float32";
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 1) return is_signed ? "int8" : "uint8";
    if constexpr (sizeof(T) == 2) return is_signed ? "int16" : "uint16";
    if constexpr (sizeof(T) == 4) return is_signed ? "int32" : "uint32";
    if constexpr (sizeof(T) == 8) return is_signed ? "int64" : "uint64";
  }
  return {};
}
}  // namespace internal

/// A dense n-dimensional array, or a numpy scalar.
struct Tensor {
  /// The element type by numpy's name: "float64", "bool", "datetime64[ns]", "S5", "U3".
  std::string dtype;
  /// The size of each dimension; none for a scalar or a 0-d array.
  std::vector<std::int64_t> shape;
  /// The elements in C order, little-endian, without padding.
  std::string data;
  /// Whether it is a numpy scalar, which is not a 0-d array.
  bool scalar = false;

  /// An array of the elements' own dtype, copied.
  template <class T>
  static Tensor of(std::vector<std::int64_t> shape, std::span<const T> elements) {
    check<T>();
    Tensor made{std::string(internal::dtype_of<T>()), std::move(shape), {}, false};
    made.data.assign(reinterpret_cast<const char*>(elements.data()), elements.size_bytes());
    return made;
  }

  /// The elements, copied.
  /// @throws std::invalid_argument if the dtype is another.
  template <class T>
  std::vector<T> elements() const {
    check<T>();
    if (dtype != internal::dtype_of<T>() || data.size() % sizeof(T) != 0) {
      throw std::invalid_argument("the tensor's dtype is " + dtype + ", not " + std::string(internal::dtype_of<T>()));
    }
    std::vector<T> made(data.size() / sizeof(T));
    if (!made.empty()) std::memcpy(made.data(), data.data(), data.size());
    return made;
  }

  /// Whether both have the same type, shape and bytes.
  bool operator==(const Tensor&) const = default;

 private:
  template <class T>
  static void check() {
    static_assert(!internal::dtype_of<T>().empty(), "a tensor has elements of a plain number type");
    static_assert(std::endian::native == std::endian::little, "a tensor's bytes are little-endian");
  }
};

/// What an Arrow IPC stream stood for on the encoding side; the numbers are those of callgate.v1.ArrowForm.
enum class ArrowForm {
  table = 1,
  record_batch = 2,
  array = 3,
  pandas_dataframe = 4,
  polars_dataframe = 5,
  chunked_array = 6,
  pandas_series = 7,
  polars_series = 8,
};

/// Arrow data (a table or column of pyarrow, pandas or polars), as one IPC stream for arrow::ipc to read. The stream is
/// not looked into here, except that compressed ones are refused: validate it before reading what a stranger sent.
struct ArrowStream {
  /// The IPC stream.
  std::string ipc_stream;
  /// What it stood for.
  ArrowForm form = ArrowForm::table;

  /// Whether both have the same bytes and form.
  bool operator==(const ArrowStream&) const = default;
};

}  // namespace callgate
