// Dates, times and spans of time as Python has them, and their way to and from std::chrono.
//
// std::chrono alone cannot hold them: naive and aware are different things, an aware one keeps its zone (not only the
// instant), `fold` tells two equal wall-clock times apart, and a timedelta spans more than 64 bits of microseconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace callgate {

/// datetime.timedelta, normalized as Python does: only days may be negative.
struct TimeDelta {
  /// -999,999,999 to 999,999,999.
  std::int32_t days = 0;
  /// 0 to 86,399.
  std::int32_t seconds = 0;
  /// 0 to 999,999.
  std::int32_t microseconds = 0;

  /// Normalizes any sum of days, seconds and microseconds.
  /// @throws std::out_of_range beyond 999,999,999 days.
  static TimeDelta of(std::int64_t days, std::int64_t seconds, std::int64_t microseconds);

  /// Takes a duration; what is finer than a microsecond is rounded down.
  static TimeDelta from(std::chrono::microseconds span) { return of(0, 0, span.count()); }

  /// The span in microseconds.
  /// @throws std::out_of_range beyond 292,000 years, which 64 bits do not hold.
  std::chrono::microseconds to_chrono() const;

  /// Whether both are the same span.
  bool operator==(const TimeDelta&) const = default;
};

/// The zone of an aware time or datetime: a fixed offset, or a key of the IANA database.
struct TimeZone {
  /// The offset from UTC that held for the value; absent for a time of day in a zone with a key.
  std::optional<TimeDelta> utc_offset;
  /// The IANA key, "Europe/Paris"; empty for a fixed offset.
  std::string key;
  /// The name of a fixed offset that was given one, else empty.
  std::string name;

  /// UTC.
  static TimeZone utc() { return {TimeDelta{}, {}, {}}; }

  /// A fixed offset.
  static TimeZone fixed(TimeDelta offset, std::string name = {}) { return {offset, {}, std::move(name)}; }

  /// Whether both are the same zone with the same offset.
  bool operator==(const TimeZone&) const = default;
};

/// datetime.date: a day of the proleptic Gregorian calendar.
struct Date {
  /// 1 to 9999.
  std::int32_t year = 1;
  /// 1 to 12.
  std::int32_t month = 1;
  /// 1 to 31.
  std::int32_t day = 1;

  /// Takes a day of std::chrono.
  static Date from(std::chrono::year_month_day day);

  /// The day as std::chrono has it.
  std::chrono::year_month_day to_chrono() const;

  /// Whether both are the same day.
  bool operator==(const Date&) const = default;
};

/// datetime.time, naive or aware.
struct TimeOfDay {
  /// 0 to 23.
  std::int32_t hour = 0;
  /// 0 to 59.
  std::int32_t minute = 0;
  /// 0 to 59.
  std::int32_t second = 0;
  /// 0 to 999,999.
  std::int32_t microsecond = 0;
  /// True for the second of two equal wall-clock times (PEP 495).
  bool fold = false;
  /// Absent for a naive time.
  std::optional<TimeZone> zone;

  /// The time since midnight, by the wall clock.
  std::chrono::microseconds since_midnight() const;

  /// Whether both are the same, zones included.
  bool operator==(const TimeOfDay&) const = default;
};

/// datetime.datetime, naive or aware.
struct DateTime {
  /// The day.
  Date date;
  /// The time of day; its zone is the datetime's.
  TimeOfDay time;

  /// An instant, as a datetime in UTC.
  static DateTime from(std::chrono::sys_time<std::chrono::microseconds> instant);

  /// What the wall clock shows, as a naive datetime.
  static DateTime from(std::chrono::local_time<std::chrono::microseconds> wall_clock);

  /// What the wall clock shows, whatever the zone.
  std::chrono::local_time<std::chrono::microseconds> wall_clock() const;

  /// The instant, by the offset that held; nothing if the datetime is naive or its offset is not known.
  std::optional<std::chrono::sys_time<std::chrono::microseconds>> instant() const;

  /// Whether both are the same, zones included.
  bool operator==(const DateTime&) const = default;
};

}  // namespace callgate
