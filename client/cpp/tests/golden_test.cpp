// The bytes that every client agrees on.
#include "golden.h"

#include <gtest/gtest.h>

#include "callgate/callgate.h"

namespace {

TEST(GoldenValues, AreThere) { EXPECT_GE(golden::values().size(), 63U); }

TEST(GoldenValues, ComeBackAsTheyWere) {
  for (const auto& each : golden::values()) {
    SCOPED_TRACE(each.name);
    EXPECT_EQ(callgate::encode(callgate::decode(each.value)), each.value);
  }
}

TEST(GoldenValues, OtherFormsBecomeTheCanonicalOne) {
  int forms = 0;
  for (const auto& each : golden::values()) {
    SCOPED_TRACE(each.name);
    for (const auto& form : each.also) {
      EXPECT_EQ(callgate::encode(callgate::decode(form)), each.value);
      ++forms;
    }
  }
  EXPECT_GE(forms, 6);
}

TEST(GoldenValues, AreEqualToThemselvesUnlessNotANumber) {
  for (const auto& each : golden::values()) {
    SCOPED_TRACE(each.name);
    const bool is_nan = each.name == "float not a number";
    EXPECT_EQ(callgate::decode(each.value) == callgate::decode(each.value), !is_nan);
  }
}

TEST(BadValues, AreThere) { EXPECT_GE(golden::bad_values().size(), 45U); }

TEST(BadValues, AreRefused) {
  for (const auto& each : golden::bad_values()) {
    SCOPED_TRACE(each.name);
    EXPECT_THROW(callgate::decode(each.value), callgate::ValueDecodeError);
  }
}

// Bytes cut off anywhere are refused or are another value; none crashes (what the sanitizers' build is for).
TEST(BadValues, CutOffGoldenBytesCrashNothing) {
  int refused = 0;
  for (const auto& each : golden::values()) {
    for (std::size_t length = 0; length < each.value.size(); ++length) {
      try {
        callgate::decode(each.value.substr(0, length));
      } catch (const callgate::ValueDecodeError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(BadValues, FlippedBitsCrashNothing) {
  for (const auto& each : golden::values()) {
    for (std::size_t bit = 0; bit < each.value.size() * 8; ++bit) {
      std::string bytes = each.value;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      try {
        const auto value = callgate::decode(bytes);
        EXPECT_EQ(callgate::encode(callgate::decode(callgate::encode(value))), callgate::encode(value)) << each.name;
      } catch (const callgate::ValueDecodeError&) {
        continue;
      }
    }
  }
}

TEST(BadValues, AreNamedByTheirPath) {
  const auto refusal = [](const std::string& hex) {
    try {
      callgate::decode(golden::from_hex(hex), "result");
    } catch (const callgate::ValueDecodeError& error) {
      return error.path();
    }
    return std::string("nothing was refused");
  };
  EXPECT_EQ(refusal("421a0a0218020a0218020a0218020a0c8a01090a056d6f64656c1200"), "result[3]['model']");
  EXPECT_EQ(refusal("42060a0218020a00"), "result[1]");
}

}  // namespace
