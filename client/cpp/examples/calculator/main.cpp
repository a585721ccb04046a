// Prints the square root of its argument, by the server that $CALLGATE_SERVER names.
#include <callgate/callgate.h>

#include <iostream>
#include <string>

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: calculator NUMBER\n";
    return 2;
  }
  try {
    const callgate::Gate gate;
    std::cout << gate.call("math", "sqrt", {std::stod(arguments[1])}).as<double>() << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
