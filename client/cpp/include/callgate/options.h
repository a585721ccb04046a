// How to reach a server, and how to make a call.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "callgate/value.h"

namespace callgate {

/// A span of time as timeouts take it: any std::chrono duration converts.
using Seconds = std::chrono::duration<double>;

/// A PEM file, or its content.
class Pem {
 public:
  /// The content of a file; read when a Gate is made.
  Pem(std::filesystem::path file) : file_(std::move(file)) {}
  /// The content of a file; read when a Gate is made.
  Pem(const char* file) : file_(file) {}
  /// The content of a file; read when a Gate is made.
  Pem(const std::string& file) : file_(file) {}

  /// The content itself.
  static Pem text(std::string content) {
    Pem made{std::filesystem::path()};
    made.content_ = std::move(content);
    return made;
  }

  /// The content, read if need be. @throws std::invalid_argument if it cannot be read or is no PEM.
  std::string read(const std::string& what) const;

 private:
  std::filesystem::path file_;
  std::optional<std::string> content_;
};

/// How a Gate reaches its server.
struct Options {
  /// How long a call may take unless it says otherwise; no limit by default.
  std::optional<Seconds> timeout{};
  /// Whether to use TLS; absent: if ca or certificate is given.
  std::optional<bool> tls{};
  /// Who signs the server's certificate; absent: the system's authorities.
  std::optional<Pem> ca{};
  /// The client's own certificate, for mutual TLS.
  std::optional<Pem> certificate{};
  /// The certificate's key.
  std::optional<Pem> key{};
  /// A bearer token; absent: $CALLGATE_TOKEN; "": none.
  std::optional<std::string> token{};
  /// The name in the server's certificate, where it is not the target's.
  std::optional<std::string> server_name{};
  /// The largest message to send or take, bytes: the largest that a server can be set to take.
  std::int64_t max_message = std::int64_t{1} << 30;
  /// Calls on their way at once; more wait in the client for their turn. Below a server's default admission limit of
  /// 128.
  int in_flight = 100;
  /// Further gRPC channel arguments, by name.
  std::vector<std::pair<std::string, std::variant<int, std::string>>> channel_arguments{};
};

/// What one call asks for, beside its arguments.
struct CallOptions {
  /// How long it may take in all: waiting in the client and the server, running, travelling. Absent: the Gate's.
  std::optional<Seconds> timeout{};
  /// Cancels the call, on the server as well, when a stop is requested.
  std::stop_token stop{};
};

/// The positional arguments of a call: {16.0, "text"}.
class Args {
 public:
  /// None.
  Args() = default;
  /// These.
  Args(std::initializer_list<Value> values) : values_(values) {}
  /// These; explicit, so that {a_list} is one argument.
  explicit Args(std::vector<Value> values) : values_(std::move(values)) {}

  /// The arguments.
  const std::vector<Value>& values() const { return values_; }

 private:
  std::vector<Value> values_;
};

/// The keyword arguments of a call: {{"indent", 2}}.
using Kwargs = std::map<std::string, Value>;

}  // namespace callgate
