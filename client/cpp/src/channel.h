// From Options to a gRPC channel.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>

#include "callgate/options.h"

namespace callgate::internal {

/// The target to connect to: what was given, else the environment's, else the default.
/// @throws std::invalid_argument if it is none.
std::string checked_target(std::string target);

/// The "authorization" of every request, "" for none.
/// @throws std::invalid_argument if the token cannot travel in a header.
std::string authorization(const Options& options);

/// A channel of its own. @throws std::invalid_argument if the options contradict each other.
std::shared_ptr<grpc::Channel> open_channel(const std::string& target, const Options& options);

}  // namespace callgate::internal
