// What the exceptions say.
#include "callgate/errors.h"

#include <algorithm>
#include <array>

namespace callgate {

namespace {

constexpr std::array<std::string_view, 17> code_names{
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

std::string located(const std::string& path, const std::string& problem) {
  return path.empty() ? problem : path + ": " + problem;
}

std::string indented(const std::string& text, const std::string& indent) {
  std::string made = indent;
  for (const char c : text) {
    made += c;
    if (c == '\n') made += indent;
  }
  return made;
}

void report_one(const PythonException& error, std::string& into) {
  into += error.full_name();
  if (!error.message.empty()) into += ": " + error.message;
  for (const std::string& note : error.notes) into += "\n" + note;
  if (!error.frames.empty()) into += "\nRemote traceback (most recent call last):";
  for (const Frame& frame : error.frames) {
    into += "\n  File \"" + frame.file + "\", line " + std::to_string(frame.line) + ", in " + frame.function;
    if (!frame.source.empty()) into += "\n    " + frame.source;
    if (frame.repeated > 0) {
      into += "\n  [the frame above repeated " + std::to_string(frame.repeated) + " more times]";
    }
  }
  for (std::size_t at = 0; at < error.exceptions.size(); ++at) {
    into += "\nmember " + std::to_string(at + 1) + " of " + std::to_string(error.exceptions.size()) + ":\n";
    into += indented(error.exceptions[at].report(), "  ");
  }
  if (error.truncated) into += "\n[some of it was left out: it did not fit]";
}

}  // namespace

std::string_view name_of(Code code) {
  const auto number = static_cast<std::size_t>(code);
  return number < code_names.size() ? code_names.at(number) : "UNKNOWN";
}

ValueError::ValueError(std::string problem, std::string path)
    : Error(problem), problem_(std::move(problem)), path_(std::move(path)), what_(located(path_, problem_)) {}

void ValueError::prepend(std::string_view place) {
  path_.insert(0, place);
  what_ = located(path_, problem_);
}

GateError::GateError(GateFailure failure)
    : Error(failure.message + " [" + (failure.reason.empty() ? std::string(name_of(failure.code)) : failure.reason) +
            "]"),
      failure_(std::make_shared<const GateFailure>(std::move(failure))) {}

std::string PythonException::full_name() const {
  const std::string& name = qualname.empty() ? type : qualname;
  return module == "builtins" || module.empty() ? name : module + "." + name;
}

bool PythonException::is_a(std::string_view name) const {
  return full_name() == name || std::find(builtin_bases.begin(), builtin_bases.end(), name) != builtin_bases.end();
}

std::string PythonException::report() const {
  std::string made;
  report_one(*this, made);
  for (const PythonException* at = this; at != nullptr;) {
    const bool is_cause = at->cause != nullptr;
    const PythonException* next = is_cause ? at->cause.get() : at->suppress_context ? nullptr : at->context.get();
    if (next != nullptr) {
      made += is_cause ? "\nCaused by " : "\nRaised while handling ";
      report_one(*next, made);
    }
    at = next;
  }
  return made;
}

PythonError::PythonError(std::shared_ptr<const PythonException> exception, GateFailure failure)
    : Error(exception->report()),
      exception_(std::move(exception)),
      failure_(std::make_shared<const GateFailure>(std::move(failure))) {}

}  // namespace callgate
