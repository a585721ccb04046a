// A connection to a server, and the calls that go over it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "callgate/batch.h"
#include "callgate/errors.h"
#include "callgate/functions.h"
#include "callgate/options.h"
#include "callgate/stream.h"
#include "callgate/value.h"

namespace callgate {

namespace internal {
class Connection;
}

/// One connection to a Callgate server, made with the first call. Share it between threads: all of its methods may be
/// called from any of them, at once. Moving or destroying it is for one.
class Gate {
 public:
  /// Checks what it is told and reads the files; no network yet.
  /// @param target "HOST:PORT", "unix:PATH" or any gRPC name; "" for $CALLGATE_SERVER, else 127.0.0.1:50051.
  /// @throws std::invalid_argument if the options contradict each other, or a file cannot be read.
  explicit Gate(std::string target = {}, Options options = {});

  /// Takes a connection over.
  Gate(Gate&&) noexcept;
  /// Takes a connection over; closes its own.
  Gate& operator=(Gate&&) noexcept;
  /// Closes it.
  ~Gate();

  /// Calls a function and waits for its result.
  /// @throws PythonError if it raised; GateError if it could not be reached; ValueFormError if an argument cannot be
  /// sent; ValueDecodeError if its answer is no value; std::invalid_argument for a negative timeout.
  Value call(std::string_view module, std::string_view function, const Args& args = {}, const Kwargs& kwargs = {},
             const CallOptions& options = {}) const;

  /// Calls a generator, an async generator or a function that returns an iterator, and gives its items as it makes
  /// them. The timeout is for all of it. A stream takes no place among the calls on their way.
  /// @throws ValueFormError if an argument cannot be sent; what the function raises, Stream::next() throws.
  Stream stream(std::string_view module, std::string_view function, const Args& args = {}, const Kwargs& kwargs = {},
                const CallOptions& options = {}) const;

  /// Makes many calls in one message, and waits for all of them.
  /// @returns how each ended, by its place. Where the whole failed midway, that is the outcome of those without answer.
  /// @throws GateError if the whole failed before any answer came; ValueFormError if an argument cannot be sent, whose
  /// path begins with its call's place.
  std::vector<Outcome> batch(const std::vector<Call>& calls, const BatchOptions& options = {}) const;

  /// The functions that this client may call, by module and name.
  /// @param module only this module's; "" for all.
  /// @throws GateError if the server could not be reached.
  std::vector<FunctionInfo> functions(std::string_view module = {}, const CallOptions& options = {}) const;

  /// Describes one function.
  /// @throws GateError, with the reason FUNCTION_NOT_FOUND if there is none for this client.
  FunctionInfo function(std::string_view module, std::string_view function, const CallOptions& options = {}) const;

  /// Connects, if it has not, and waits until that is done.
  /// @returns whether it was within the time.
  bool connect(Seconds timeout) const;

  /// Cancels the calls on their way, which throw a GateError (CANCELLED), as all later ones do. May be called from any
  /// thread. Closing again does nothing.
  void close() noexcept;

 private:
  std::shared_ptr<internal::Connection> connection_;
};

}  // namespace callgate
