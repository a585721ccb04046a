// Calls, streams and batches against a real server.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "callgate/callgate.h"
#include "golden.h"
#include "server.h"

namespace {

using namespace std::chrono_literals;
using callgate::Code;
using callgate::Dict;
using callgate::List;
using callgate::Value;

class GateTest : public testing::Test {
 protected:
  callgate::Gate gate{testing_server::shared_server().address(), {.timeout = 30s, .token = ""}};
};

TEST_F(GateTest, CallsWithArgumentsByPlaceAndName) {
  EXPECT_EQ(gate.call("math", "sqrt", {16.0}).as<double>(), 4.0);
  EXPECT_EQ(gate.call("json", "dumps", {Dict{{"b", 1}, {"a", List{}}}}, {{"sort_keys", true}}).as<std::string>(),
            R"({"a": [], "b": 1})");
  EXPECT_EQ(gate.call("served", "add", {1}, {{"right", 41}}), Value(42));
  EXPECT_EQ(gate.call("builtins", "len", {List{1, 2, 3}}), Value(3));
}

TEST_F(GateTest, EveryGoldenValueComesBackFromPython) {
  for (const auto& each : golden::values()) {
    SCOPED_TRACE(each.name);
    const Value value = callgate::decode(each.value);
    EXPECT_EQ(callgate::encode(gate.call("served", "echo", {value})), each.value);
  }
}

TEST_F(GateTest, LargeValuesCross) {
  const callgate::Bytes large{std::string(std::size_t{20} << 20U, 'x')};
  EXPECT_EQ(gate.call("served", "echo", {large}), Value(large));
}

TEST_F(GateTest, WhatTheFunctionRaisesIsAPythonErrorWithItsCauseNested) {
  try {
    gate.call("served", "refuse", {7});
    FAIL();
  } catch (const callgate::PythonError& error) {
    EXPECT_EQ(error.type(), "LookupError");
    EXPECT_EQ(error.code(), Code::unknown);
    EXPECT_EQ(error.reason(), "FUNCTION_RAISED");
    EXPECT_NE(error.call_id(), "");
    EXPECT_EQ(error.exception().args, (std::vector<Value>{"no such order", 7}));
    EXPECT_EQ(error.exception().notes, std::vector<std::string>{"look elsewhere"});
    EXPECT_NE(std::string(error.what()).find("in refuse\n"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("\nCaused by KeyError: 7"), std::string::npos) << error.what();
    try {
      std::rethrow_if_nested(error);
      FAIL();
    } catch (const callgate::PythonError& cause) {
      EXPECT_EQ(cause.type(), "KeyError");
    }
  }
}

TEST_F(GateTest, AFunctionChoosesItsStatus) {
  try {
    gate.call("served", "choose_status", {"ABORTED", "try again"});
    FAIL();
  } catch (const callgate::PythonError& error) {
    EXPECT_EQ(error.code(), Code::aborted);
    EXPECT_EQ(error.message(), "try again");
  }
}

TEST_F(GateTest, AResultWithoutAFormNamesItsPlace) {
  try {
    gate.call("served", "unspeakable");
    FAIL();
  } catch (const callgate::PythonError& error) {
    EXPECT_EQ(error.reason(), "NO_VALUE_FORM");
    EXPECT_EQ(error.metadata().at("path"), "result['inner'][1]");
  }
}

TEST_F(GateTest, AFunctionThatIsNotThereIsAGateError) {
  try {
    gate.call("math", "sqr");
    FAIL();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.code(), Code::not_found);
    EXPECT_EQ(error.reason(), "FUNCTION_NOT_FOUND");
    EXPECT_EQ(error.metadata().at("function"), "sqr");
  }
}

TEST_F(GateTest, ADeadlineEndsACall) {
  try {
    gate.call("served", "hold", {"deadline"}, {}, {.timeout = 100ms});
    ADD_FAILURE();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.code(), Code::deadline_exceeded);
  }
  gate.call("served", "release", {"deadline"});
}

TEST_F(GateTest, AStopRequestCancelsACall) {
  std::stop_source source;
  auto call = std::async(std::launch::async,
                         [&] { return gate.call("served", "hold", {"stop"}, {}, {.stop = source.get_token()}); });
  EXPECT_EQ(gate.call("served", "holds", {"stop"}), Value(true));
  source.request_stop();
  try {
    call.get();
    ADD_FAILURE();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.code(), Code::cancelled);
  }
  gate.call("served", "release", {"stop"});
  EXPECT_THROW(gate.call("math", "sqrt", {1.0}, {}, {.stop = source.get_token()}), callgate::GateError);
}

TEST_F(GateTest, ClosingItCancelsItsCallsAndStreams) {
  auto stream = gate.stream("served", "count", {1'000'000'000});
  EXPECT_EQ(stream.next(), Value(0));
  auto call = std::async(std::launch::async, [&] { return gate.call("served", "hold", {"close"}); });
  EXPECT_EQ(gate.call("served", "holds", {"close"}), Value(true));
  gate.close();
  gate.close();
  try {
    call.get();
    ADD_FAILURE();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.code(), Code::cancelled);
  }
  EXPECT_THROW(while (stream.next()){}, callgate::GateError);
  EXPECT_THROW(gate.call("math", "sqrt", {1.0}), callgate::GateError);
  const callgate::Gate other(testing_server::shared_server().address(), {.token = ""});
  other.call("served", "release", {"close"});
}

TEST_F(GateTest, MoreCallsThanPlacesWaitForTheirTurn) {
  const callgate::Gate narrow(testing_server::shared_server().address(), {.token = "", .in_flight = 1});
  std::stop_source source;
  auto first = std::async(std::launch::async,
                          [&] { return narrow.call("served", "hold", {"places"}, {}, {.stop = source.get_token()}); });
  EXPECT_EQ(gate.call("served", "holds", {"places"}), Value(true));
  try {
    narrow.call("math", "sqrt", {1.0}, {}, {.timeout = 50ms});
    ADD_FAILURE();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.reason(), "EXPIRED_IN_QUEUE");
  }
  source.request_stop();
  EXPECT_THROW(first.get(), callgate::GateError);
  gate.call("served", "release", {"places"});
  EXPECT_EQ(narrow.call("math", "sqrt", {1.0}, {}, {.timeout = 10s}), Value(1.0));
}

TEST_F(GateTest, StreamsGiveItemsInOrder) {
  std::vector<int> items;
  for (const Value& item : gate.stream("served", "count", {1000})) items.push_back(item.as<int>());
  ASSERT_EQ(items.size(), 1000U);
  for (int at = 0; at < 1000; ++at) EXPECT_EQ(items[static_cast<std::size_t>(at)], at);
}

TEST_F(GateTest, AStreamsExceptionComesAfterItsItems) {
  auto stream = gate.stream("served", "count_and_fail", {2});
  EXPECT_EQ(stream.next(), Value(0));
  EXPECT_EQ(stream.next(), Value(1));
  EXPECT_THROW(stream.next(), callgate::PythonError);
  EXPECT_EQ(stream.next(), std::nullopt);
}

TEST_F(GateTest, ClosingAStreamClosesTheGenerator) {
  {
    auto stream = gate.stream("served", "count", {1'000'000'000});
    EXPECT_EQ(stream.next(), Value(0));
  }
  EXPECT_EQ(gate.call("served", "was_closed"), Value(true));
}

TEST_F(GateTest, AStreamOutlivesItsGate) {
  auto made =
      std::make_unique<callgate::Gate>(testing_server::shared_server().address(), callgate::Options{.token = ""});
  auto stream = made->stream("served", "count", {1'000'000'000});
  EXPECT_EQ(stream.next(), Value(0));
  made.reset();
  EXPECT_THROW(while (stream.next()){}, callgate::GateError);
}

TEST_F(GateTest, ABatchTellsHowEachCallEnded) {
  const auto outcomes = gate.batch({{"math", "sqrt", {16.0}},
                                    {"math", "sqrt", {-1.0}},
                                    {"served", "add", {1}, {{"right", 2}}},
                                    {"math", "nothing"}});
  ASSERT_EQ(outcomes.size(), 4U);
  EXPECT_EQ(outcomes[0].value(), Value(4.0));
  EXPECT_FALSE(outcomes[1].ok());
  EXPECT_THROW(static_cast<void>(outcomes[1].value()), callgate::PythonError);
  EXPECT_EQ(outcomes[2].value().as<int>(), 3);
  EXPECT_THROW(static_cast<void>(outcomes[3].value()), callgate::GateError);
  EXPECT_TRUE(gate.batch({}).empty());
}

TEST_F(GateTest, TellsWhatThereIsToCall) {
  const auto functions = gate.functions("served");
  ASSERT_FALSE(functions.empty());
  for (const auto& function : functions) EXPECT_EQ(function.module, "served");
  EXPECT_GT(gate.functions().size(), functions.size());
  const auto add = gate.function("served", "add");
  EXPECT_EQ(add.signature, "(left: int, right: int = 1) -> int");
  EXPECT_EQ(add.doc, "Add two numbers.");
  EXPECT_EQ(add.kind, callgate::FunctionKind::plain);
  ASSERT_EQ(add.parameters.size(), 2U);
  EXPECT_FALSE(add.parameters[1].required);
  EXPECT_THROW(gate.function("served", "nothing"), callgate::GateError);
}

TEST(Reconnecting, AServersEndIsUnavailable) {
  testing_server::Server server({"math"});
  const callgate::Gate gate(server.address(), {.timeout = 30s, .token = ""});
  ASSERT_TRUE(gate.connect(10s));
  EXPECT_EQ(gate.call("math", "sqrt", {4.0}), Value(2.0));
  server.kill();
  try {
    gate.call("math", "sqrt", {4.0});
    ADD_FAILURE();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_EQ(error.reason(), "");
  }
}

}  // namespace
