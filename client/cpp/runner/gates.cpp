#include "gates.h"

#include <stdexcept>

namespace runner {

Json connect(Gates& gates, const Json& request) {
  callgate::Options options;
  if (auto file = optional<std::string>(request, "tls_ca")) options.ca = callgate::Pem(*file);
  if (auto file = optional<std::string>(request, "tls_certificate")) options.certificate = callgate::Pem(*file);
  if (auto file = optional<std::string>(request, "tls_key")) options.key = callgate::Pem(*file);
  options.token = optional<std::string>(request, "token").value_or("");
  const auto target = request.at("target").get<std::string>();
  gates.insert_or_assign(request.at("gate").get<std::string>(),
                         Opened{callgate::Gate(target, options), target, options});
  return {{"connected", true}};
}

Json close(Gates& gates, const Json& request) {
  gate_of(gates, request).gate.close();
  gates.erase(request.at("gate").get<std::string>());
  return {{"closed", true}};
}

Opened& gate_of(Gates& gates, const Json& request) {
  const auto name = request.at("gate").get<std::string>();
  const auto found = gates.find(name);
  if (found == gates.end()) throw std::invalid_argument("no gate named " + name + " is open");
  return found->second;
}

}  // namespace runner
