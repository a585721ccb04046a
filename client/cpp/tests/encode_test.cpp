// What cannot be sent is refused before anything is, and named by its place.
#include <gtest/gtest.h>

#include <limits>

#include "callgate/callgate.h"

namespace {

using callgate::Dict;
using callgate::List;
using callgate::Value;

std::string refusal(const Value& value, const callgate::Limits& limits = {}) {
  try {
    callgate::encode(value, "args[0]", limits);
  } catch (const callgate::ValueFormError& error) {
    return error.what();
  }
  return "nothing was refused";
}

Value nested(int levels) {
  Value value("bottom");
  for (int level = 0; level < levels; ++level) {
    List outer;
    outer.push_back(std::move(value));
    value = Value(std::move(outer));
  }
  return value;
}

TEST(Encode, RefusesTextThatIsNoUtf8) {
  EXPECT_EQ(refusal(List{"a", Dict{{"model", "\xff"}}}),
            "args[0][1]['model']: a str is not UTF-8 at byte 0 (use callgate::Bytes for bytes, "
            "callgate::SurrogateString for text with lone surrogates)");
  EXPECT_TRUE(refusal(List{"a", "\xed\xa0\x80"}).starts_with("args[0][1]: a str is not UTF-8"));
  EXPECT_TRUE(refusal(Dict{{"\xff", 1}}).starts_with("args[0].key('\\xff'): a str is not UTF-8"));
  EXPECT_EQ(refusal(callgate::SurrogateString{"\xff"}), "args[0]: a surrogate string is not WTF-8");
}

TEST(Encode, RefusesKeysThatPythonWouldTakeForOne) {
  EXPECT_EQ(refusal(Dict{{"a", 1}, {"a", 2}}), "args[0]: a key comes twice");
  EXPECT_EQ(refusal(Dict{{1, 1}, {1.0, 2}}), "args[0]: a key comes twice");
  EXPECT_EQ(refusal(Dict{{true, 1}, {1, 2}}), "args[0]: a key comes twice");
  EXPECT_EQ(refusal(Dict{{callgate::Decimal{"1.00"}, 1}, {1, 2}}), "args[0]: a key comes twice");
  EXPECT_EQ(refusal(Dict{{1e300, 1}, {callgate::Decimal{"1E+2"}, 1}, {100, 2}}), "args[0]: a key comes twice");
  EXPECT_EQ(refusal(Dict{{18446744073709551616.0, 1}, {callgate::BigInt::parse("18446744073709551616"), 2}}),
            "args[0]: a key comes twice");
  EXPECT_EQ(refusal(callgate::Set{"a", "a"}), "args[0]: a set has an element twice");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refusal(callgate::Set{nan, nan}), "nothing was refused");
  EXPECT_EQ(refusal(Dict{{1, 1}, {"1", 2}, {1.5, 3}, {callgate::Tuple{1}, 4}}), "nothing was refused");
}

TEST(Encode, RefusesWhatIsNotHashable) {
  EXPECT_EQ(refusal(Dict{{List{1}, 1}}), "args[0].key([1]): a key is not hashable: it is or holds a list");
  EXPECT_EQ(refusal(callgate::Set{callgate::Tuple{Dict{}}}),
            "args[0][0]: an element of a set is not hashable: it is or holds a dict");
}

TEST(Encode, RefusesWhatGoesBeyondTheLimits) {
  EXPECT_EQ(refusal(nested(100)), "nothing was refused");
  EXPECT_TRUE(refusal(nested(101)).ends_with("nested more than 100 levels deep"));
  EXPECT_EQ(refusal(List{1, 2, 3}, {.elements = 2}), "args[0]: more than 2 elements in all");
  EXPECT_EQ(refusal("text", {.bytes = 3}), "args[0]: more than 3 bytes in all");
}

TEST(Encode, RefusesValuesThatPythonCouldNotHold) {
  EXPECT_EQ(refusal(callgate::Date{2023, 2, 29}), "args[0]: no such date: day 29 is out of range for the month");
  EXPECT_EQ(refusal(callgate::TimeOfDay{24, 0, 0, 0, false, {}}), "args[0]: no such time: hour 24 is not in 0..23");
  EXPECT_TRUE(refusal(callgate::TimeDelta{0, -1, 0}).starts_with("args[0]: no normalized timedelta"));
  EXPECT_EQ(refusal(callgate::Decimal{"1,5"}), "args[0]: a decimal is no decimal number: '1,5'");
  EXPECT_EQ(refusal(callgate::Tensor{"float64", {2}, "short", false}),
            "args[0]: a tensor of its shape and dtype float64 takes 16 bytes, and has 5");
  EXPECT_EQ(refusal(callgate::Record("m:T", {{"a", 1}, {"a", 2}})), "args[0]: a field comes twice");
  const callgate::TimeZone nowhere{{}, "../etc/passwd", {}};
  EXPECT_EQ(refusal(callgate::TimeOfDay{0, 0, 0, 0, false, nowhere}),
            "args[0]: '../etc/passwd' is no key of the IANA time zone database");
}

TEST(Encode, DeepValuesComeBack) {
  const Value deep = nested(100);
  EXPECT_EQ(callgate::decode(callgate::encode(deep)), deep);
}

TEST(Decode, HoldsItsLimits) {
  const std::string bytes = callgate::encode(nested(30));
  EXPECT_THROW(callgate::decode(bytes, "value", {.depth = 29}), callgate::ValueDecodeError);
  try {
    callgate::decode(callgate::encode(List{1, 2, 3}), "value", {.elements = 2});
    FAIL();
  } catch (const callgate::ValueDecodeError& error) {
    EXPECT_EQ(error.limit(), 2);
  }
}

}  // namespace
