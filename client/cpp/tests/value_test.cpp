// Values as C++ makes, reads and shows them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "callgate/callgate.h"

namespace {

using namespace std::chrono_literals;
using callgate::Value;

struct Quote {
  std::string symbol;
  double price;
};

}  // namespace

template <>
struct callgate::From<Quote> {
  static Quote from(const Value& value) {
    return {value.at("symbol").as<std::string>(), value.at("price").as<double>()};
  }
};

namespace {

TEST(Value, TakesTheTypeThatStandsForEachKind) {
  EXPECT_TRUE(Value().is_none());
  EXPECT_TRUE(Value(nullptr).is_none());
  EXPECT_TRUE(Value(true).is<bool>());
  EXPECT_TRUE(Value(1).is<std::int64_t>());
  EXPECT_TRUE(Value(1U).is<std::int64_t>());
  EXPECT_TRUE(Value(1.0F).is<double>());
  EXPECT_TRUE(Value("text").is<std::string>());
  EXPECT_TRUE(Value(callgate::List{1, "a"}).is<callgate::List>());
  EXPECT_TRUE(Value(std::vector<double>{1}).is<callgate::List>());
  EXPECT_TRUE(Value(std::map<std::string, int>{{"a", 1}}).is<callgate::Dict>());
  EXPECT_TRUE(Value(std::tuple(1, "a")).is<callgate::Tuple>());
  EXPECT_TRUE(Value(std::optional<int>()).is_none());
  EXPECT_TRUE(Value(90s).is<callgate::TimeDelta>());
  EXPECT_TRUE(Value(std::chrono::system_clock::now()).is<callgate::DateTime>());
  EXPECT_TRUE(Value(2024y / 2 / 29).is<callgate::Date>());
  const char* nothing = nullptr;
  EXPECT_TRUE(Value(nothing).is_none());
  static_assert(!std::is_constructible_v<Value, void*>, "a pointer must not become a bool");
  static_assert(!std::is_constructible_v<Value, char>, "a character is neither text nor a number");
}

TEST(Value, KeepsIntegersWhateverTheirSize) {
  EXPECT_EQ(callgate::repr(Value(std::numeric_limits<std::uint64_t>::max())), "18446744073709551615");
  EXPECT_TRUE(Value(std::uint64_t{1} << 63U).is<callgate::BigInt>());
  EXPECT_EQ(Value(std::uint64_t{1} << 63U).as<std::uint64_t>(), std::uint64_t{1} << 63U);
  EXPECT_THROW(Value(std::uint64_t{1} << 63U).as<std::int64_t>(), callgate::ValueTypeError);
  EXPECT_TRUE(Value(callgate::BigInt::parse("-9223372036854775808")).is<std::int64_t>());
  for (const char* digits : {"0", "-1", "255", "-256", "9223372036854775808", "-9223372036854775809",
                             "340282366920938463463374607431768211456", "-2361183241434822606848"}) {
    EXPECT_EQ(callgate::BigInt::parse(digits).str(), digits);
  }
  EXPECT_THROW(callgate::BigInt::parse("1e5"), std::invalid_argument);
  EXPECT_THROW(callgate::BigInt::parse("-"), std::invalid_argument);
}

TEST(Value, ConvertsExactlyOrNotAtAll) {
  EXPECT_EQ(Value(4.0).as<double>(), 4.0);
  EXPECT_EQ(Value(4).as<double>(), 4.0);
  EXPECT_THROW(Value((std::int64_t{1} << 53) + 1).as<double>(), callgate::ValueTypeError);
  EXPECT_THROW(Value(4.0).as<int>(), callgate::ValueTypeError);
  EXPECT_THROW(Value(true).as<int>(), callgate::ValueTypeError);
  EXPECT_THROW(Value(300).as<std::uint8_t>(), callgate::ValueTypeError);
  EXPECT_EQ(Value().as<std::optional<int>>(), std::nullopt);
  EXPECT_EQ(Value(3).as<std::optional<int>>(), 3);
  EXPECT_EQ(Value(callgate::List{1, 2}).as<std::vector<int>>(), (std::vector<int>{1, 2}));
  EXPECT_EQ((Value(callgate::Tuple{1, "a"}).as<std::tuple<int, std::string>>()),
            (std::tuple<int, std::string>(1, "a")));
  EXPECT_EQ((Value(callgate::Dict{{"a", 1}}).as<std::map<std::string, int>>()), (std::map<std::string, int>{{"a", 1}}));
  EXPECT_EQ(Value("moved").as<std::string>(), "moved");
  EXPECT_EQ(Value(callgate::Record("shop:Quote", {{"symbol", "X"}, {"price", 1.5}})).as<Quote>().price, 1.5);
}

TEST(Value, SaysWhereAConversionFailed) {
  try {
    static_cast<void>(
        Value(callgate::Dict{{"a", callgate::List{1, "x"}}}).as<std::map<std::string, std::vector<int>>>());
    FAIL();
  } catch (const callgate::ValueTypeError& error) {
    EXPECT_EQ(error.path(), "['a'][1]");
    EXPECT_STREQ(error.what(), "['a'][1]: this is a str, and a int is wanted");
  }
}

TEST(Value, IsLookedIntoByPlaceAndByName) {
  const Value value(callgate::Dict{{"model", callgate::List{1, 2}}});
  EXPECT_EQ(value.at("model").at(1), Value(2));
  EXPECT_EQ(value.at("model").size(), 2U);
  EXPECT_THROW(static_cast<void>(value.at("other")), std::out_of_range);
  EXPECT_THROW(static_cast<void>(value.at("model").at(2)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(Value(1).at("x")), callgate::ValueTypeError);
}

TEST(Value, ComparesAsItsKindDoes) {
  EXPECT_NE(Value(1), Value(1.0));
  EXPECT_NE(Value(1), Value(true));
  EXPECT_NE(Value(std::nan("")), Value(std::nan("")));
  EXPECT_EQ(Value(callgate::Set{1, 2}), Value(callgate::Set{2, 1}));
  EXPECT_EQ(Value(callgate::Dict{{"a", 1}, {"b", 2}}), Value(callgate::Dict{{"b", 2}, {"a", 1}}));
  EXPECT_NE(Value(callgate::Dict{{"a", 1}, {"b", 2}}), Value(callgate::Dict{{"a", 2}, {"b", 1}}));
  EXPECT_NE(Value(callgate::List{1, 2}), Value(callgate::Tuple{1, 2}));
}

TEST(Value, CopiesDeeplyAndMoves) {
  Value original(callgate::Record("m:R", {{"items", callgate::List{1}}}));
  Value copy = original;
  copy.get_if<callgate::Record>()->fields.front().second = 2;
  EXPECT_EQ(original.at("items"), Value(callgate::List{1}));
  const Value moved = std::move(original);
  EXPECT_EQ(moved.at("items").size(), 1U);
  EXPECT_LE(sizeof(Value), 40U);
}

TEST(Value, IsShownMuchAsPythonDoes) {
  EXPECT_EQ(callgate::repr(callgate::List{1, "a'b", nullptr, 2.0, true, callgate::Bytes{std::string("\0\xff", 2)}}),
            R"([1, 'a\'b', None, 2.0, True, b'\x00\xff'])");
  EXPECT_EQ(callgate::repr(callgate::Tuple{1}), "(1,)");
  EXPECT_EQ(callgate::repr(callgate::Dict{{callgate::Tuple{1, "x"}, 1e300}}), "{(1, 'x'): 1e+300}");
}

TEST(Args, TakeAListAsOneArgument) {
  const callgate::List list{1, 2};
  EXPECT_EQ(callgate::Args{list}.values().size(), 1U);
  EXPECT_EQ((callgate::Args{callgate::List{1, 2}}).values().size(), 1U);
  EXPECT_EQ(callgate::Args(list).values().size(), 2U);
  EXPECT_TRUE(callgate::Args{}.values().empty());
}

TEST(Temporal, GoesToAndFromChrono) {
  using std::chrono::microseconds;
  const auto instant = std::chrono::sys_days(2024y / 2 / 29) + 12h + 30min + 1us;
  EXPECT_EQ(Value(instant).as<std::chrono::sys_time<microseconds>>(), instant);
  EXPECT_EQ(Value(2024y / 2 / 29).as<std::chrono::year_month_day>(), 2024y / 2 / 29);
  EXPECT_EQ(Value(-1s).as<microseconds>(), -1s);
  EXPECT_EQ(callgate::TimeDelta::from(-1s), (callgate::TimeDelta{-1, 86'399, 0}));
  EXPECT_EQ(callgate::TimeDelta::of(0, -1, 1'000'001), (callgate::TimeDelta{0, 0, 1}));
  EXPECT_THROW(callgate::TimeDelta::of(1'000'000'000, 0, 0), std::out_of_range);
  EXPECT_THROW(callgate::TimeDelta::of(std::numeric_limits<std::int64_t>::min(), -1, -1), std::out_of_range);
  EXPECT_THROW(static_cast<void>(callgate::TimeDelta{999'999'999, 0, 0}.to_chrono()), std::out_of_range);

  callgate::DateTime paris{{2024, 10, 27}, {2, 30, 0, 0, true, callgate::TimeZone{{}, "Europe/Paris", {}}}};
  EXPECT_EQ(paris.instant(), std::nullopt);
  paris.time.zone->utc_offset = callgate::TimeDelta::from(1h);
  EXPECT_EQ(paris.instant(), std::chrono::sys_days(2024y / 10 / 27) + 1h + 30min);
  EXPECT_THROW(static_cast<void>(Value(paris).as<std::chrono::local_time<microseconds>>()), callgate::ValueTypeError);
  paris.time.zone.reset();
  EXPECT_EQ(Value(paris).as<std::chrono::local_time<microseconds>>(),
            std::chrono::local_days(2024y / 10 / 27) + 2h + 30min);
  EXPECT_THROW(static_cast<void>(Value(paris).as<std::chrono::sys_time<microseconds>>()), callgate::ValueTypeError);
}

TEST(Tensor, HoldsElementsOfItsType) {
  const std::vector<std::int32_t> elements{0, 1, 2, 3, 4, 5};
  const auto tensor = callgate::Tensor::of<std::int32_t>({2, 3}, elements);
  EXPECT_EQ(tensor.dtype, "int32");
  EXPECT_EQ(tensor.elements<std::int32_t>(), elements);
  EXPECT_THROW(tensor.elements<double>(), std::invalid_argument);
}

TEST(Uuid, IsReadAndShown) {
  const auto uuid = callgate::Uuid::parse("12345678-1234-5678-1234-56781234abCD");
  EXPECT_EQ(uuid.str(), "12345678-1234-5678-1234-56781234abcd");
  EXPECT_THROW(callgate::Uuid::parse("12345678"), std::invalid_argument);
}

}  // namespace
