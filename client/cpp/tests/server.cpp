#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace testing_server {

namespace {

std::string command() {
  if (const char* named = std::getenv("CALLGATE"); named != nullptr && *named != '\0') return named;
  return repository() + "/.venv/bin/callgate";
}

// What the server prints once it listens: "… listening on 127.0.0.1:40123 …". Empty until it has.
std::string address_in(const std::string& output) {
  const std::string sign = "127.0.0.1:";
  std::size_t at = output.find(sign);
  while (at != std::string::npos) {
    const std::size_t end = output.find_first_not_of("0123456789", at + sign.size());
    const std::string port = output.substr(at + sign.size(), end - at - sign.size());
    if (end != std::string::npos && !port.empty() && port != "0") return sign + port;
    at = output.find(sign, at + 1);
  }
  return {};
}

}  // namespace

std::string repository() { return CALLGATE_REPOSITORY; }

Server::Server(std::vector<std::string> targets, std::vector<std::string> options) {
  const std::string program = command();
  if (access(program.c_str(), X_OK) != 0) {
    throw std::runtime_error("these tests need a Callgate server, and there is no " + program +
                             ": run make .venv/.dev at the top, or name one with CALLGATE");
  }
  if (targets.empty()) {
    targets = {"math",         "json.dumps",   "json.loads",
               "builtins.len", "builtins.abs", std::string(CALLGATE_TESTS) + "/served.py"};
  }
  std::vector<std::string> words{program, "serve"};
  words.insert(words.end(), targets.begin(), targets.end());
  words.insert(words.end(), {"--listen", "127.0.0.1:0", "--executor", "threads"});
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test program that dies leaves no server behind
    if (getppid() != parent) _exit(127);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execv(program.c_str(), arguments.data());
    _exit(127);
  }
  close(ends[1]);
  output_ = ends[0];
  if (process_ < 0) throw std::runtime_error("no process");

  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::string output;
  while (address_.empty()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd readable{output_, POLLIN, 0};
    char buffer[4096];
    const bool ready = left > 0 && poll(&readable, 1, static_cast<int>(left)) > 0;
    const ssize_t count = ready ? read(output_, buffer, sizeof(buffer)) : 0;
    if (count <= 0) {
      stop(SIGKILL);
      throw std::runtime_error("the server did not start; it said: " + output);
    }
    output.append(buffer, static_cast<std::size_t>(count));
    address_ = address_in(output);
  }
  // What it prints later is read, so that a full pipe cannot keep it from running or ending.
  drain_ = std::thread([from = output_] {
    char buffer[4096];
    while (read(from, buffer, sizeof(buffer)) > 0) {
    }
  });
}

Server::~Server() { stop(SIGTERM); }

void Server::kill() { stop(SIGKILL); }

void Server::stop(int signal) {
  if (process_ > 0) {
    ::kill(process_, signal);
    waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  if (drain_.joinable()) drain_.join();
  if (output_ >= 0) close(output_);
  output_ = -1;
}

Server& shared_server() {
  static Server server;
  return server;
}

}  // namespace testing_server
