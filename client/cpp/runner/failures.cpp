// What the client throws, as the protocol's failure objects.
#include "json.h"

namespace runner {

namespace {

Json exception_of(const callgate::PythonException& exception);

Json exception_of(const std::shared_ptr<const callgate::PythonException>& exception) {
  return exception != nullptr ? exception_of(*exception) : Json(nullptr);
}

Json exception_of(const callgate::PythonException& exception) {
  Json args = Json::array();
  for (const auto& value : exception.args) args.push_back(hex_of(value));
  Json frames = Json::array();
  for (const auto& frame : exception.frames) {
    frames.push_back(
        {{"file", frame.file}, {"line", frame.line}, {"function", frame.function}, {"source", frame.source}});
  }
  Json members = Json::array();
  for (const auto& member : exception.exceptions) members.push_back(exception_of(member));
  Json attributes = Json::object();
  for (const auto& [name, value] : exception.attributes) attributes[name] = hex_of(value);
  return {{"type", exception.type},
          {"module", exception.module},
          {"qualname", exception.qualname},
          {"message", exception.message},
          {"args", args},
          {"notes", exception.notes},
          {"frames", frames},
          {"cause", exception_of(exception.cause)},
          {"context", exception_of(exception.context)},
          {"suppress_context", exception.suppress_context},
          {"exceptions", members},
          {"builtin_bases", exception.builtin_bases},
          {"truncated", exception.truncated},
          {"attributes", attributes}};
}

// PythonError and GateError have these alike.
template <class Failure>
Json common(const Failure& error) {
  Json retry = nullptr;
  if (error.retry_after()) retry = callgate::Seconds(*error.retry_after()).count();
  return {{"code", callgate::name_of(error.code())},
          {"reason", error.reason()},
          {"message", error.message()},
          {"metadata", error.metadata()},
          {"retry_after", retry},
          {"call_id", error.call_id()}};
}

}  // namespace

Json failure_of(const callgate::Error& error) {
  if (const auto* raised = dynamic_cast<const callgate::PythonError*>(&error)) {
    Json made = common(*raised);
    made["class"] = "PythonError";
    made["raised"] = true;
    made["exception"] = exception_of(raised->exception());
    return made;
  }
  if (const auto* failed = dynamic_cast<const callgate::GateError*>(&error)) {
    Json made = common(*failed);
    made["class"] = "GateError";
    made["raised"] = false;
    made["exception"] = nullptr;
    return made;
  }
  std::string name = "Error";
  if (dynamic_cast<const callgate::ValueFormError*>(&error) != nullptr) name = "ValueFormError";
  if (dynamic_cast<const callgate::ValueDecodeError*>(&error) != nullptr) name = "ValueDecodeError";
  return {{"class", name},          {"raised", false},         {"code", ""},
          {"reason", ""},           {"message", error.what()}, {"metadata", Json::object()},
          {"retry_after", nullptr}, {"call_id", ""},           {"exception", nullptr}};
}

}  // namespace runner
