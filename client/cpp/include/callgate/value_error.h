// The base of Callgate's exceptions, and those about values; the others are in errors.h.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace callgate {

/// The base of all that Callgate throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Something is wrong with a value, at a place in it.
class ValueError : public Error {
 public:
  /// Makes one.
  explicit ValueError(std::string problem, std::string path = {});

  /// The path and the problem.
  const char* what() const noexcept override { return what_.c_str(); }
  /// Where: "result[3]['model']".
  const std::string& path() const noexcept { return path_; }
  /// What.
  const std::string& problem() const noexcept { return problem_; }
  /// Puts a place before the path, while the error leaves the containers that it happened in.
  void prepend(std::string_view place);

 private:
  std::string problem_;
  std::string path_;
  std::string what_;
};

/// A value cannot be sent: text that is no UTF-8, a key twice, nested too deeply.
class ValueFormError : public ValueError {
 public:
  using ValueError::ValueError;
};

/// What came is not a value that Python could hold, or goes beyond a limit.
class ValueDecodeError : public ValueError {
 public:
  /// Makes one. `limit` is the limit that it goes beyond, if it is such a matter.
  explicit ValueDecodeError(std::string problem, std::string path = {}, std::optional<std::int64_t> limit = {})
      : ValueError(std::move(problem), std::move(path)), limit_(limit) {}

  /// The limit that it goes beyond, if it is such a matter.
  std::optional<std::int64_t> limit() const noexcept { return limit_; }

 private:
  std::optional<std::int64_t> limit_;
};

/// A value is of another kind than Value::as<T>() wants.
class ValueTypeError : public ValueError {
 public:
  using ValueError::ValueError;
};

}  // namespace callgate
