#include "golden.h"

#include <fstream>
#include <stdexcept>
#include <string_view>

namespace golden {

namespace {

std::ifstream open(const std::string& name) {
  const std::string path = std::string(CALLGATE_REPOSITORY) + "/tests/conformance/cases/" + name;
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " cannot be read");
  return file;
}

// What stands in the last pair of quotes of a line that starts so; the files are written by a program, a key a line.
bool scalar(std::string_view line, std::string_view start, std::string& into) {
  if (!line.starts_with(start) || !line.ends_with('"')) return false;
  const std::size_t open = line.find('"', start.size());
  into = line.substr(open + 1, line.size() - open - 2);
  return open != line.size() - 1;
}

}  // namespace

std::vector<Case> values() {
  std::ifstream file = open("values.yaml");
  std::vector<Case> made;
  std::string found;
  for (std::string line; std::getline(file, line);) {
    if (scalar(line, "- \"name\": ", found)) made.push_back({found, {}, {}});
    if (scalar(line, "  \"value\": ", found)) made.back().value = from_hex(found);
    if (scalar(line, "  - ", found)) made.back().also.push_back(from_hex(found));
  }
  return made;
}

std::vector<Case> bad_values() {
  std::ifstream file = open("bad_values.yaml");
  std::vector<Case> made;
  std::string found;
  for (std::string line; std::getline(file, line);) {
    if (scalar(line, "- \"name\": ", found)) made.push_back({found, {}, {}});
    if (scalar(line, "  \"decode\": !hex ", found)) made.back().value = from_hex(found);
  }
  return made;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

}  // namespace golden
