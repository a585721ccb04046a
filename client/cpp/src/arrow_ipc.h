// Reads just enough of an Arrow IPC stream to tell whether its buffers are compressed.
#pragma once

#include <string_view>

namespace callgate::internal {

/// Whether any record or dictionary batch of an IPC stream has compressed buffers; false for what is no IPC stream,
/// which Arrow's own readers refuse.
bool is_compressed(std::string_view stream);

}  // namespace callgate::internal
