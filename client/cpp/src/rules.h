// What a value of Python's may be: the rules that both decoding and encoding hold. Each gives the problem, "" if there
// is none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "callgate/buffers.h"
#include "callgate/temporal.h"

namespace callgate::internal {

/// A decimal's text, in the notation of str(Decimal).
std::string decimal_problem(std::string_view text);

/// A day of the calendar.
std::string date_problem(const Date& date);

/// A time of day and its zone.
std::string time_problem(const TimeOfDay& time);

/// A normalized timedelta.
std::string span_problem(const TimeDelta& span);

/// A tensor whose dtype, shape and bytes fit each other. `elements` bounds those without width.
std::string tensor_problem(const Tensor& tensor, std::int64_t elements);

}  // namespace callgate::internal
