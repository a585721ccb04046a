// The format: https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format, whose metadata are
// flatbuffers (https://flatbuffers.dev/internals/) of `Message` in Arrow's format/Message.fbs.
#include "arrow_ipc.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

namespace callgate::internal {

namespace {

static_assert(std::endian::native == std::endian::little, "flatbuffers are little-endian");

// Thrown within this file where an offset leads beyond the stream.
struct Beyond {};

class Reader {
 public:
  explicit Reader(std::string_view stream) : stream_(stream) {}

  template <class T>
  T get(std::int64_t at) const {
    const auto size = static_cast<std::int64_t>(stream_.size());
    if (at < 0 || at > size - static_cast<std::int64_t>(sizeof(T))) throw Beyond();
    T made;
    std::memcpy(&made, stream_.data() + at, sizeof(T));
    return made;
  }

  // Where what an offset at `at` points to is.
  std::int64_t follow(std::int64_t at) const { return at + get<std::uint32_t>(at); }

  // Where a flatbuffer table's field is, nothing if it is absent.
  std::optional<std::int64_t> field(std::int64_t table, int position) const {
    const std::int64_t vtable = table - get<std::int32_t>(table);
    const int offset_at = 4 + 2 * position;
    if (offset_at + 2 > get<std::uint16_t>(vtable)) return std::nullopt;
    const auto offset = get<std::uint16_t>(vtable + offset_at);
    return offset == 0 ? std::nullopt : std::optional(table + offset);
  }

  // Whether a message's batch, if it has one, is compressed.
  bool compressed(std::int64_t message) const {
    constexpr int header_type = 1;
    constexpr int header = 2;
    constexpr int dictionary_data = 1;
    constexpr int compression = 3;
    constexpr int dictionary_batch = 2;
    constexpr int record_batch = 3;
    const auto kind_at = field(message, header_type);
    const auto header_at = field(message, header);
    if (!kind_at || !header_at) return false;
    const int kind = get<std::uint8_t>(*kind_at);
    std::int64_t batch = follow(*header_at);
    if (kind == dictionary_batch) {
      const auto data = field(batch, dictionary_data);
      if (!data) return false;
      batch = follow(*data);
    } else if (kind != record_batch) {
      return false;
    }
    return field(batch, compression).has_value();
  }

 private:
  std::string_view stream_;
};

}  // namespace

bool is_compressed(std::string_view stream) {
  constexpr int body_length = 3;
  constexpr std::int32_t continuation = -1;  // left out by writers before 0.15
  const Reader reader(stream);
  const auto end = static_cast<std::int64_t>(stream.size());
  std::int64_t at = 0;
  try {
    while (at < end) {
      if (reader.get<std::int32_t>(at) == continuation) at += 4;
      const auto size = reader.get<std::int32_t>(at);
      at += 4;
      if (size <= 0) return false;
      const std::int64_t message = reader.follow(at);
      if (reader.compressed(message)) return true;
      const auto body = reader.field(message, body_length);
      const std::int64_t length = body ? reader.get<std::int64_t>(*body) : 0;
      if (length < 0 || length > end) return false;
      at += size + length;
    }
  } catch (const Beyond&) {
    return false;
  }
  return false;
}

}  // namespace callgate::internal
