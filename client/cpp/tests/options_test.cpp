// What a Gate refuses before it connects, and how it fails where nobody listens.
#include <gtest/gtest.h>

#include <limits>

#include "callgate/callgate.h"

namespace {

using namespace std::chrono_literals;

std::string refusal(const std::string& target, const callgate::Options& options = {}) {
  try {
    const callgate::Gate gate(target, options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(Options, RefuseTargetsThatAreNone) {
  EXPECT_EQ(refusal("http://localhost:1"),
            "'http://localhost:1' is no target: write HOST:PORT alone, and .tls = true for TLS");
  EXPECT_EQ(refusal("localhost"),
            "'localhost' is no target: write HOST:PORT (localhost:50051, [::1]:50051) or unix:PATH");
  EXPECT_EQ(refusal("localhost:0"), "'localhost:0' is no target: the port is a number from 1 to 65535");
  EXPECT_EQ(refusal("::1:50051"),
            "'::1:50051' is no target: write HOST:PORT (localhost:50051, [::1]:50051) or unix:PATH");
  for (const char* good : {"localhost:50051", "[::1]:50051", "unix:/tmp/socket", "dns:///localhost:1"}) {
    EXPECT_EQ(refusal(good), "nothing was refused");
  }
}

TEST(Options, RefuseContradictions) {
  EXPECT_NE(refusal("h:1", {.certificate = callgate::Pem("c.pem")}).find("certificate and key go together"),
            std::string::npos);
  EXPECT_NE(refusal("h:1", {.tls = false, .ca = callgate::Pem("c.pem")}).find("contradicts"), std::string::npos);
  EXPECT_NE(refusal("h:1", {.server_name = "name"}).find("needs TLS"), std::string::npos);
  EXPECT_EQ(refusal("h:1", {.ca = callgate::Pem("/no/such.pem")}), "ca: /no/such.pem cannot be read");
  EXPECT_EQ(refusal("h:1", {.ca = callgate::Pem::text("no PEM")}),
            "ca: the text given is not PEM (no '-----BEGIN' line)");
  EXPECT_EQ(refusal("h:1", {.token = "two words"}), "a token is one word of printable ASCII characters");
  EXPECT_EQ(refusal("h:1", {.in_flight = 0}), "in_flight is 0; 1 or more is right");
  EXPECT_NE(refusal("h:1", {.timeout = -1s}).find("0 or more seconds"), std::string::npos);
  EXPECT_NE(refusal("h:1", {.max_message = std::int64_t{1} << 31}).find("max_message"), std::string::npos);
}

TEST(Options, RefuseTimeoutsThatAreNone) {
  const callgate::Gate gate("127.0.0.1:1");
  EXPECT_THROW(gate.call("m", "f", {}, {}, {.timeout = -1s}), std::invalid_argument);
  EXPECT_THROW(gate.call("m", "f", {}, {}, {.timeout = callgate::Seconds(std::numeric_limits<double>::quiet_NaN())}),
               std::invalid_argument);
}

TEST(Options, RefuseArgumentsBeforeAnythingIsSent) {
  const callgate::Gate gate("127.0.0.1:1");  // nobody listens there: what is sent fails as UNAVAILABLE
  const auto path = [&](const callgate::Args& args, const callgate::Kwargs& kwargs) -> std::string {
    try {
      gate.call("m", "f", args, kwargs);
    } catch (const callgate::ValueFormError& error) {
      return error.path();
    }
    return "nothing was refused";
  };
  EXPECT_EQ(path({1, callgate::Dict{{"model", "\xff"}}}, {}), "args[1]['model']");
  EXPECT_EQ(path({}, {{"name", callgate::List{"\xff"}}}), "kwargs['name'][0]");
  EXPECT_THROW(gate.call("\xff", "f"), callgate::ValueFormError);
  try {
    gate.batch({{"m", "f", {1}}, {"m", "f", {"\xff"}}});
    FAIL();
  } catch (const callgate::ValueFormError& error) {
    EXPECT_EQ(error.path(), "calls[1].args[0]");
  }
}

TEST(Options, SayWhereNobodyListens) {
  const callgate::Gate gate("127.0.0.1:1");
  try {
    gate.call("math", "sqrt", {16.0}, {}, {.timeout = 10s});
    FAIL();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.code(), callgate::Code::unavailable);
    EXPECT_EQ(error.reason(), "");
    EXPECT_TRUE(error.message().starts_with("cannot connect to 127.0.0.1:1: ")) << error.message();
  }
  EXPECT_FALSE(gate.connect(0s));
}

TEST(Options, ACallWithNoTimeLeftIsNotSent) {
  const callgate::Gate gate("127.0.0.1:1");
  try {
    gate.call("math", "sqrt", {16.0}, {}, {.timeout = 0s});
    FAIL();
  } catch (const callgate::GateError& error) {
    EXPECT_EQ(error.code(), callgate::Code::deadline_exceeded);
    EXPECT_EQ(error.reason(), "EXPIRED_IN_QUEUE");
  }
}

}  // namespace
