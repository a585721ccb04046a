// google.rpc.Status → exceptions, without a server.
#include "failures.h"

#include <gtest/gtest.h>

#include "callgate/v1/failure.pb.h"
#include "google/rpc/error_details.pb.h"

namespace {

namespace v1 = callgate::v1;
using namespace std::chrono_literals;

google::rpc::Status status_of(int code, const std::string& reason) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message("the server's sentence");
  google::rpc::ErrorInfo info;
  info.set_domain("callgate");
  info.set_reason(reason);
  (*info.mutable_metadata())["call_id"] = "c-1";
  status.add_details()->PackFrom(info);
  return status;
}

template <class Failure>
Failure thrown(const google::rpc::Status& status, const std::string& call_id = {}) {
  try {
    std::rethrow_exception(callgate::internal::error_from_status(status, call_id));
  } catch (const Failure& error) {
    return error;
  }
}

TEST(Failures, ThatComeFromTheGateAreGateErrors) {
  google::rpc::Status status = status_of(8, "OVERLOADED");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(250'000'000);
  status.add_details()->PackFrom(retry);
  const auto error = thrown<callgate::GateError>(status);
  EXPECT_EQ(error.code(), callgate::Code::resource_exhausted);
  EXPECT_EQ(callgate::name_of(error.code()), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(error.reason(), "OVERLOADED");
  EXPECT_EQ(error.retry_after(), 250ms);
  EXPECT_EQ(error.call_id(), "c-1");
  EXPECT_STREQ(error.what(), "the server's sentence [OVERLOADED]");
}

TEST(Failures, WithoutAnErrorInfoOfOursHaveNoReason) {
  google::rpc::Status status;
  status.set_code(14);
  google::rpc::ErrorInfo info;
  info.set_domain("elsewhere.example");
  info.set_reason("FUNCTION_NOT_FOUND");
  status.add_details()->PackFrom(info);
  const auto error = thrown<callgate::GateError>(status);
  EXPECT_EQ(error.reason(), "");
  EXPECT_STREQ(error.what(), "UNAVAILABLE [UNAVAILABLE]");
}

TEST(Failures, WithDetailsThatAreNotWhatTheySayAreStillTold) {
  google::rpc::Status status = status_of(5, "FUNCTION_NOT_FOUND");
  auto* bad = status.add_details();
  bad->set_type_url("type.googleapis.com/callgate.v1.PythonException");
  bad->set_value("\xff\xff");
  EXPECT_EQ(thrown<callgate::GateError>(status).reason(), "FUNCTION_NOT_FOUND");
  status.set_code(99);
  EXPECT_EQ(thrown<callgate::GateError>(status).code(), callgate::Code::unknown);
}

v1::PythonException lookup_error() {
  v1::PythonException made;
  made.set_type("OrderRefused");
  made.set_module("shop");
  made.set_message("no such order");
  made.add_builtin_bases("LookupError");
  made.add_builtin_bases("Exception");
  made.add_notes("look elsewhere");
  auto* frame = made.add_frames();
  frame->set_file("shop.py");
  frame->set_line(7);
  frame->set_function("refuse");
  frame->set_source("raise OrderRefused");
  frame->set_repeated(2);
  made.add_args()->set_int_value(7);
  (*made.mutable_attributes())["errno"].set_int_value(2);
  made.mutable_cause()->set_type("KeyError");
  made.mutable_cause()->set_module("builtins");
  made.mutable_cause()->set_message("7");
  made.mutable_cause()->mutable_context()->set_type("OSError");
  made.mutable_cause()->mutable_context()->set_module("builtins");
  return made;
}

TEST(Failures, OfFunctionsArePythonErrorsWithAllThatCame) {
  google::rpc::Status status = status_of(2, "FUNCTION_RAISED");
  status.add_details()->PackFrom(lookup_error());
  const auto error = thrown<callgate::PythonError>(status, "c-2");
  EXPECT_EQ(error.type(), "shop.OrderRefused");
  EXPECT_TRUE(error.is_a("LookupError"));
  EXPECT_TRUE(error.is_a("shop.OrderRefused"));
  EXPECT_FALSE(error.is_a("ValueError"));
  EXPECT_EQ(error.call_id(), "c-2");
  EXPECT_EQ(error.exception().args, std::vector<callgate::Value>{7});
  EXPECT_EQ(error.exception().attributes.at("errno"), callgate::Value(2));
  EXPECT_STREQ(error.what(),
               "shop.OrderRefused: no such order\n"
               "look elsewhere\n"
               "Remote traceback (most recent call last):\n"
               "  File \"shop.py\", line 7, in refuse\n"
               "    raise OrderRefused\n"
               "  [the frame above repeated 2 more times]\n"
               "Caused by KeyError: 7\n"
               "Raised while handling OSError");
}

TEST(Failures, NestTheirCauses) {
  google::rpc::Status status = status_of(2, "FUNCTION_RAISED");
  status.add_details()->PackFrom(lookup_error());
  std::vector<std::string> types;
  std::exception_ptr at = callgate::internal::error_from_status(status);
  while (at != nullptr) {
    try {
      std::rethrow_exception(std::exchange(at, nullptr));
    } catch (const callgate::PythonError& error) {
      types.push_back(error.type());
      try {
        std::rethrow_if_nested(error);
      } catch (...) {
        at = std::current_exception();
      }
    }
  }
  EXPECT_EQ(types, (std::vector<std::string>{"shop.OrderRefused", "KeyError", "OSError"}));
}

TEST(Failures, WithArgumentsThatCannotBeDecodedHaveNone) {
  v1::PythonException raised = lookup_error();
  raised.add_args();  // no kind set
  google::rpc::Status status = status_of(2, "FUNCTION_RAISED");
  status.add_details()->PackFrom(raised);
  const auto error = thrown<callgate::PythonError>(status);
  EXPECT_TRUE(error.exception().args.empty());
  EXPECT_TRUE(error.exception().args_omitted);
}

TEST(Failures, OfGroupsTellTheirMembers) {
  v1::PythonException group;
  group.set_type("ExceptionGroup");
  group.set_module("builtins");
  group.set_message("several");
  *group.add_exceptions() = lookup_error();
  google::rpc::Status status = status_of(2, "FUNCTION_RAISED");
  status.add_details()->PackFrom(group);
  const auto error = thrown<callgate::PythonError>(status);
  ASSERT_EQ(error.exception().exceptions.size(), 1U);
  EXPECT_NE(std::string(error.what()).find("\nmember 1 of 1:\n  shop.OrderRefused: no such order"), std::string::npos);
}

}  // namespace
