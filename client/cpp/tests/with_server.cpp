// Runs a program beside a server: with_server PROGRAM ARGUMENTS…, with CALLGATE_SERVER set to the server's address.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>

#include "server.h"

int main(int count, char** arguments) {
  if (count < 2) {
    std::cerr << "usage: with_server PROGRAM ARGUMENTS…\n";
    return 2;
  }
  try {
    testing_server::Server server({"math", "json.dumps", testing_server::repository() + "/examples/countdown.py"});
    setenv("CALLGATE_SERVER", server.address().c_str(), 1);
    const pid_t child = fork();
    if (child == 0) {
      execvp(arguments[1], arguments + 1);
      _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
