// A real Callgate server for the tests, and the files and functions that it serves.
#pragma once

#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

namespace testing_server {

/// The root of the repository.
std::string repository();

/// A `callgate serve` process on a free port of loopback; ended, and waited for, when it goes.
class Server {
 public:
  /// Starts it. The command is $CALLGATE, or the repository's .venv/bin/callgate.
  /// @throws std::runtime_error with a sentence that says what is missing.
  explicit Server(std::vector<std::string> targets = {}, std::vector<std::string> options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  /// Kills the process.
  void kill();

 private:
  void stop(int signal);

  pid_t process_ = -1;
  int output_ = -1;
  std::string address_;
  std::thread drain_;
};

/// What the tests of calls use: math, json, builtins and tests/served.py, started once a test program.
Server& shared_server();

}  // namespace testing_server
