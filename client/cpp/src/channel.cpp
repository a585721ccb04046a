#include "channel.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

namespace callgate {

std::string Pem::read(const std::string& what) const {
  std::string content;
  if (content_) {
    content = *content_;
  } else {
    std::ifstream file(file_, std::ios::binary);
    if (!file) throw std::invalid_argument(what + ": " + file_.string() + " cannot be read");
    content.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (content.find("-----BEGIN") == std::string::npos) {
    const std::string shown = content_ ? "the text given" : file_.string();
    throw std::invalid_argument(what + ": " + shown + " is not PEM (no '-----BEGIN' line)");
  }
  return content;
}

namespace internal {

namespace {

// Only what changes nothing is repeated by policy: an UNAVAILABLE may come from a connection that was lost midway, and
// nobody knows whether the function ran. CallFunction has an entry, without any policy, so that it is found at once:
// else every call's method is looked for as it is, by its service alone and without a name.
constexpr std::string_view service_config = R"({"methodConfig": [{
  "name": [{"service": "callgate.v1.FunctionService", "method": "ListFunctions"},
           {"service": "callgate.v1.FunctionService", "method": "GetFunction"}],
  "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
                  "retryableStatusCodes": ["UNAVAILABLE"]}},
 {"name": [{"service": "callgate.v1.FunctionService", "method": "CallFunction"}]}]})";

std::string from_environment(const char* name) {
  const char* found = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): read before the Gate's threads are
  return found != nullptr ? found : "";
}

bool is_port(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port > 0 && port < 65536;
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) {
    return host.size() > 2 && host.ends_with(']') &&
           host.find_first_not_of("0123456789ABCDEFabcdef:.%ghijklmnopqrstuvwxyz", 1) == host.size() - 1;
  }
  return !host.empty() && host.find_first_of(" \t\r\n:/[]") == std::string_view::npos;
}

grpc::ChannelArguments channel_arguments(const Options& options) {
  grpc::ChannelArguments made;
  const int largest = static_cast<int>(options.max_message + 1024);
  made.SetMaxSendMessageSize(largest);
  made.SetMaxReceiveMessageSize(largest);
  // Failures carry a whole exception: gRPC's limit of 8 KB would drop some.
  made.SetInt("grpc.max_metadata_size", 16 * 1024);
  made.SetServiceConfigJSON(std::string(service_config));
  // Find out that a peer is gone although its host never said so.
  made.SetInt("grpc.keepalive_time_ms", 30'000);
  made.SetInt("grpc.keepalive_timeout_ms", 10'000);
  // A Gate is a connection of its own; gRPC would share one, and its back-off, among all to the same target.
  made.SetInt("grpc.use_local_subchannel_pool", 1);
  // A server that was restarted is found again within seconds; gRPC's own back-off goes up to two minutes.
  made.SetInt("grpc.initial_reconnect_backoff_ms", 100);
  made.SetInt("grpc.max_reconnect_backoff_ms", 5'000);
  if (options.server_name) made.SetSslTargetNameOverride(*options.server_name);
  for (const auto& [name, value] : options.channel_arguments) {
    if (const int* number = std::get_if<int>(&value)) {
      made.SetInt(name, *number);
    } else {
      made.SetString(name, std::get<std::string>(value));
    }
  }
  return made;
}

std::shared_ptr<grpc::ChannelCredentials> credentials(const Options& options) {
  const bool asked = options.ca || options.certificate;
  if (options.certificate.has_value() != options.key.has_value()) {
    throw std::invalid_argument("certificate and key go together: the client's own, for mutual TLS");
  }
  if (!options.tls.value_or(asked)) {
    if (asked) throw std::invalid_argument("tls = false contradicts ca, certificate and key");
    if (options.server_name) {
      throw std::invalid_argument("server_name is the name in the server's certificate: it needs TLS");
    }
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions made;
  if (options.ca) made.pem_root_certs = options.ca->read("ca");
  if (options.certificate) made.pem_cert_chain = options.certificate->read("certificate");
  if (options.key) made.pem_private_key = options.key->read("key");
  return grpc::SslCredentials(made);
}

}  // namespace

std::string checked_target(std::string target) {
  // gRPC's own naming schemes, passed through: https://github.com/grpc/grpc/blob/master/doc/naming.md
  constexpr std::array<std::string_view, 7> schemes{
      "unix:", "unix-abstract:", "vsock:", "dns:", "ipv4:", "ipv6:", "xds:"};
  if (target.empty()) target = from_environment("CALLGATE_SERVER");
  if (target.empty()) target = "127.0.0.1:50051";
  const std::string_view text = target;
  if (std::any_of(schemes.begin(), schemes.end(), [&](auto scheme) { return text.starts_with(scheme); })) return target;
  std::string right;
  const std::size_t colon = text.rfind(':');
  if (text.starts_with("http://") || text.starts_with("https://")) {
    right = "write HOST:PORT alone, and .tls = true for TLS";
  } else if (colon == std::string_view::npos || !is_host(text.substr(0, colon))) {
    right = "write HOST:PORT (localhost:50051, [::1]:50051) or unix:PATH";
  } else if (!is_port(text.substr(colon + 1))) {
    right = "the port is a number from 1 to 65535";
  } else {
    return target;
  }
  throw std::invalid_argument("'" + target.substr(0, 200) + "' is no target: " + right);
}

std::string authorization(const Options& options) {
  std::string token = options.token ? *options.token : from_environment("CALLGATE_TOKEN");
  constexpr const char* blanks = " \t\r\n";
  token.erase(0, std::min(token.find_first_not_of(blanks), token.size()));
  token.erase(token.find_last_not_of(blanks) + 1);
  if (token.empty()) return {};
  // RFC 6750 allows less; a header takes this much. The token itself must not get into a message.
  if (!std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    throw std::invalid_argument("a token is one word of printable ASCII characters");
  }
  return "Bearer " + token;
}

std::shared_ptr<grpc::Channel> open_channel(const std::string& target, const Options& options) {
  if (options.max_message < 1 || options.max_message > INT_MAX - 1024) {
    throw std::invalid_argument("max_message is " + std::to_string(options.max_message) + "; 1 to " +
                                std::to_string(INT_MAX - 1024) + " bytes is right");
  }
  if (options.in_flight < 1) {
    throw std::invalid_argument("in_flight is " + std::to_string(options.in_flight) + "; 1 or more is right");
  }
  return grpc::CreateCustomChannel(target, credentials(options), channel_arguments(options));
}

}  // namespace internal

}  // namespace callgate
