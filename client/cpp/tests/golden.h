// The named values of tests/conformance/cases/*.yaml, for tests without a server.
#pragma once

#include <string>
#include <vector>

namespace golden {

/// One case of values.yaml.
struct Case {
  std::string name;
  /// The canonical bytes.
  std::string value;
  /// Other bytes that decode to the same.
  std::vector<std::string> also;
};

/// The cases of values.yaml.
std::vector<Case> values();

/// The bytes of bad_values.yaml, with their names.
std::vector<Case> bad_values();

/// Bytes from hex.
std::string from_hex(const std::string& hex);

}  // namespace golden
