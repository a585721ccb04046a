// Many calls in one message.
#pragma once

#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>

#include "callgate/options.h"
#include "callgate/value.h"

namespace callgate {

/// One call of a batch.
struct Call {
  /// The function's module.
  std::string module;
  /// Its name.
  std::string function;
  /// Its positional arguments.
  Args args{};
  /// Its keyword arguments.
  Kwargs kwargs{};
};

/// What a batch asks for, beside its calls.
struct BatchOptions {
  /// How long the whole may take. Absent: the Gate's.
  std::optional<Seconds> timeout{};
  /// How long each call may take from when it starts to run.
  std::optional<Seconds> call_timeout{};
  /// Cancels the batch when a stop is requested.
  std::stop_token stop{};
};

/// How one call of a batch ended.
class Outcome {
 public:
  /// It returned.
  Outcome(Value value) : result_(std::in_place_index<0>, std::move(value)) {}
  /// It failed.
  Outcome(std::exception_ptr error) : result_(std::in_place_index<1>, std::move(error)) {}

  /// Whether it returned.
  bool ok() const { return result_.index() == 0; }
  /// What it returned. @throws what a call of its own would have thrown.
  const Value& value() const&;
  /// What it returned, moved out. @throws as above.
  Value value() &&;
  /// What it failed with, null if it returned.
  std::exception_ptr error() const { return ok() ? nullptr : std::get<1>(result_); }

 private:
  std::variant<Value, std::exception_ptr> result_;
};

}  // namespace callgate
