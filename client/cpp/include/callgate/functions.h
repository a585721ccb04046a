// What a caller can learn about a function before calling it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace callgate {

/// What kind of function it is; the numbers are those of callgate.v1.FunctionKind.
enum class FunctionKind {
  unspecified = 0,
  /// def: call.
  plain = 1,
  /// def with yield: stream.
  generator = 2,
  /// async def: call.
  coroutine = 3,
  /// async def with yield: stream.
  async_generator = 4,
};

/// How arguments bind to a parameter; the numbers are those of callgate.v1.ParameterKind.
enum class ParameterKind {
  unspecified = 0,
  positional_only = 1,
  positional_or_keyword = 2,
  var_positional = 3,
  keyword_only = 4,
  var_keyword = 5,
};

/// One parameter of a function.
struct Parameter {
  /// Its name.
  std::string name;
  /// How arguments bind to it.
  ParameterKind kind = ParameterKind::unspecified;
  /// Its annotation as written, else "".
  std::string type;
  /// repr() of its default; "" if it has none.
  std::string default_repr;
  /// Whether a call must give it.
  bool required = false;
};

/// An exposed function.
struct FunctionInfo {
  /// The module, as a call names it.
  std::string module;
  /// The name, as a call names it.
  std::string function;
  /// The signature as Python writes it: "(x, /)"; "" if Python cannot tell.
  std::string signature;
  /// The parameters, in order.
  std::vector<Parameter> parameters;
  /// The return annotation as written, else "".
  std::string return_type;
  /// The docstring.
  std::string doc;
  /// What kind of function it is.
  FunctionKind kind = FunctionKind::unspecified;
  /// The executor's name in the server's settings.
  std::string executor;
  /// The executor's kind: "serial", "processes".
  std::string executor_kind;
  /// Why the function runs elsewhere than its settings say, if it does.
  std::string executor_note;
  /// The server's own limit on one call's time, if there is one.
  std::optional<std::chrono::nanoseconds> timeout;
};

}  // namespace callgate
