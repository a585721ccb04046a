// Callgate's C++ client: calls Python functions that a Callgate server exposes.
//
//     callgate::Gate gate("localhost:50051");
//     double root = gate.call("math", "sqrt", {16.0}).as<double>();
#pragma once

#include "callgate/batch.h"      // IWYU pragma: export
#include "callgate/codec.h"      // IWYU pragma: export
#include "callgate/errors.h"     // IWYU pragma: export
#include "callgate/functions.h"  // IWYU pragma: export
#include "callgate/gate.h"       // IWYU pragma: export
#include "callgate/options.h"    // IWYU pragma: export
#include "callgate/stream.h"     // IWYU pragma: export
#include "callgate/value.h"      // IWYU pragma: export
