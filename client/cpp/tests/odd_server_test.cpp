// Answers that no Callgate server gives, and what is sent along.
#include <gtest/gtest.h>

#include "callgate/callgate.h"
#include "callgate/v1/function_service.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "odd_server.h"

namespace {

using namespace std::chrono_literals;
using callgate::Code;
using odd_server::OddServer;

const callgate::CallOptions soon{.timeout = 20s};

callgate::Gate gate_to(const OddServer& server, callgate::Options options = {.token = ""}) {
  return callgate::Gate(server.address(), std::move(options));
}

template <class Work>
callgate::GateError failure(Work&& work) {
  try {
    work();
  } catch (const callgate::GateError& error) {
    return error;
  }
  return callgate::GateError({.message = "nothing failed"});
}

std::string item(std::int64_t number) {
  callgate::v1::StreamFunctionResponse made;
  made.mutable_value()->set_int_value(number);
  return made.SerializeAsString();
}

TEST(OddServer, AnswersThatDoNotParseAreTheServersFault) {
  const OddServer server({.messages = {"\xff\xff\xff"}});
  const auto gate = gate_to(server);
  const auto error = failure([&] { gate.call("m", "f", {}, {}, soon); });
  EXPECT_EQ(error.code(), Code::internal);
  EXPECT_EQ(error.message(), "the answer is no message of callgate.v1; is it a Callgate server?");
  EXPECT_EQ(failure([&] { gate.batch({{"m", "f"}}, {.timeout = 20s}); }).code(), Code::internal);
}

TEST(OddServer, AnItemThatDoesNotParseIsNotTheStreamsEnd) {
  const OddServer server({.messages = {item(1), "\xff\xff\xff", item(3)}});
  const auto gate = gate_to(server);
  auto stream = gate.stream("m", "f", {}, {}, soon);
  EXPECT_EQ(stream.next(), callgate::Value(1));
  EXPECT_EQ(failure([&] { stream.next(); }).code(), Code::internal);
  EXPECT_EQ(stream.next(), std::nullopt);
}

TEST(OddServer, AnItemWithoutAKindIsRefused) {
  const OddServer server({.messages = {item(1), "", item(3)}});
  const auto gate = gate_to(server);
  auto stream = gate.stream("m", "f", {}, {}, soon);
  EXPECT_EQ(stream.next(), callgate::Value(1));
  EXPECT_THROW(stream.next(), callgate::ValueDecodeError);
  EXPECT_EQ(stream.next(), std::nullopt);
}

TEST(OddServer, ABatchThatIsAnsweredWronglyFails) {
  callgate::v1::BatchCallFunctionsResponse response;
  for (const int index : {0, 7}) {
    auto& result = *response.add_results();
    result.set_index(index);
    result.mutable_response()->mutable_value()->set_int_value(index);
  }
  const OddServer server({.messages = {response.SerializeAsString()}});
  const auto outcomes = gate_to(server).batch({{"m", "f"}, {"m", "g"}}, {.timeout = 20s});
  EXPECT_EQ(outcomes[0].value(), callgate::Value(0));
  EXPECT_EQ(failure([&] { static_cast<void>(outcomes[1].value()); }).message(),
            "the server answered call 7 of a batch of 2 twice, or unasked");
}

TEST(OddServer, ABatchThatEndsEarlyLeavesNoCallWithoutAnOutcome) {
  const OddServer server({});
  const auto outcomes = gate_to(server).batch({{"m", "f"}}, {.timeout = 20s});
  EXPECT_EQ(failure([&] { static_cast<void>(outcomes.at(0).value()); }).code(), Code::internal);
}

TEST(OddServer, FailuresOf12KilobytesArrive) {
  google::rpc::Status status;
  status.set_code(5);
  google::rpc::ErrorInfo info;
  info.set_domain("callgate");
  info.set_reason("FUNCTION_NOT_FOUND");
  (*info.mutable_metadata())["suggestions"] = std::string(12 * 1024 * 3 / 4, 'x');  // base64 makes 4 bytes of 3
  status.add_details()->PackFrom(info);
  const OddServer server({.status = grpc::Status(grpc::StatusCode::NOT_FOUND, "", status.SerializeAsString()),
                          .trailing = {{"callgate-call-id", "c-9"}}});
  const auto error = failure([&] { gate_to(server).call("m", "f", {}, {}, soon); });
  EXPECT_EQ(error.reason(), "FUNCTION_NOT_FOUND");
  EXPECT_EQ(error.call_id(), "c-9");
}

TEST(OddServer, DetailsThatContradictTheCodeAreNotBelieved) {
  google::rpc::Status status;
  status.set_code(5);
  const OddServer server(
      {.status = grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "a proxy", status.SerializeAsString())});
  const auto error = failure([&] { gate_to(server).call("m", "f", {}, {}, soon); });
  EXPECT_EQ(error.code(), Code::permission_denied);
  EXPECT_EQ(error.message(), "a proxy");
}

TEST(OddServer, AnAnswerThatIsTooLargeSaysSo) {
  callgate::v1::CallFunctionResponse response;
  response.mutable_value()->set_bytes_value(std::string(100'000, 'x'));
  const OddServer server({.messages = {response.SerializeAsString()}});
  const auto gate = gate_to(server, {.token = "", .max_message = 50'000});
  EXPECT_EQ(failure([&] { gate.call("m", "f", {}, {}, soon); }).reason(), "RESPONSE_TOO_LARGE");
  const auto error = failure([&] { gate.call("m", "f", {callgate::Bytes{std::string(60'000, 'x')}}, {}, soon); });
  EXPECT_EQ(error.reason(), "REQUEST_TOO_LARGE");
  EXPECT_EQ(error.metadata().at("limit"), "50000");
}

TEST(OddServer, TheTokenTravels) {
  OddServer server({.messages = {item(1)}});
  EXPECT_EQ(gate_to(server, {.token = " secret\n"}).call("m", "f", {}, {}, soon), callgate::Value(1));
  const auto metadata = server.metadata();
  const auto found = metadata.find("authorization");
  ASSERT_NE(found, metadata.end());
  EXPECT_EQ(found->second, "Bearer secret");
}

}  // namespace
