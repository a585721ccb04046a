// The gates that the driver has opened, by name, and the ops on them.
#pragma once

#include <map>
#include <string>

#include "callgate/callgate.h"
#include "json.h"

namespace runner {

/// An open gate, and how to reach its server without it.
struct Opened {
  callgate::Gate gate;
  std::string target;
  callgate::Options options;
};

/// Open gates by name.
using Gates = std::map<std::string, Opened>;

/// `connect`.
Json connect(Gates& gates, const Json& request);
/// `close`.
Json close(Gates& gates, const Json& request);
/// The gate that a request names.
Opened& gate_of(Gates& gates, const Json& request);

/// `call`.
Json call(Opened& opened, const Json& request);
/// `stream`.
Json stream(Opened& opened, const Json& request);
/// `batch`.
Json batch(Opened& opened, const Json& request);
/// `list`.
Json list(Opened& opened, const Json& request);
/// `describe`.
Json describe(Opened& opened, const Json& request);
/// `concurrent`.
Json concurrent(Opened& opened, const Json& request);
/// `bench`.
Json bench(Opened& opened, const Json& request);

}  // namespace runner
