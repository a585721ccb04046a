// Dates, times and spans of time: to and from std::chrono.
#include "callgate/temporal.h"

#include <stdexcept>

namespace callgate {

namespace {

using std::chrono::microseconds;

constexpr std::int64_t day_seconds = 86'400;
constexpr std::int64_t second_micros = 1'000'000;
constexpr std::int64_t most_days = 999'999'999;

std::int64_t floor_divide(std::int64_t number, std::int64_t by) { return number / by - (number % by < 0 ? 1 : 0); }

}  // namespace

TimeDelta TimeDelta::of(std::int64_t days, std::int64_t seconds, std::int64_t microseconds) {
  // No sum but the last can overflow: a 64-bit count of the smaller unit is a small one of the larger.
  const std::int64_t more_seconds = floor_divide(microseconds, second_micros);
  const std::int64_t seconds_left = seconds - floor_divide(seconds, day_seconds) * day_seconds + more_seconds;
  const std::int64_t more_days = floor_divide(seconds, day_seconds) + floor_divide(seconds_left, day_seconds);
  constexpr std::int64_t sane_days = 1'000'000'000'000'000'000;  // beyond it the sum might overflow
  const std::int64_t all_days = days < -sane_days || days > sane_days ? days : days + more_days;
  if (all_days < -most_days || all_days > most_days) throw std::out_of_range("a timedelta is beyond 999,999,999 days");
  return {static_cast<std::int32_t>(all_days),
          static_cast<std::int32_t>(seconds_left - floor_divide(seconds_left, day_seconds) * day_seconds),
          static_cast<std::int32_t>(microseconds - more_seconds * second_micros)};
}

std::chrono::microseconds TimeDelta::to_chrono() const {
  constexpr std::int64_t fitting_days = 106'751'990;  // 2**63 microseconds are 106,751,991 days and a bit
  if (days < -fitting_days || days > fitting_days) {
    throw std::out_of_range("a timedelta of " + std::to_string(days) +
                            " days does not fit into 64 bits of microseconds");
  }
  return std::chrono::microseconds((days * day_seconds + seconds) * second_micros + microseconds);
}

Date Date::from(std::chrono::year_month_day day) {
  return {static_cast<int>(day.year()), static_cast<std::int32_t>(static_cast<unsigned>(day.month())),
          static_cast<std::int32_t>(static_cast<unsigned>(day.day()))};
}

std::chrono::year_month_day Date::to_chrono() const {
  return std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(month)) /
         std::chrono::day(static_cast<unsigned>(day));
}

microseconds TimeOfDay::since_midnight() const {
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second) +
         microseconds(microsecond);
}

DateTime DateTime::from(std::chrono::local_time<microseconds> wall_clock) {
  const auto day = std::chrono::floor<std::chrono::days>(wall_clock);
  const std::chrono::hh_mm_ss<microseconds> time(wall_clock - day);
  return {Date::from(std::chrono::year_month_day(day)),
          {static_cast<std::int32_t>(time.hours().count()), static_cast<std::int32_t>(time.minutes().count()),
           static_cast<std::int32_t>(time.seconds().count()), static_cast<std::int32_t>(time.subseconds().count()),
           false, std::nullopt}};
}

DateTime DateTime::from(std::chrono::sys_time<microseconds> instant) {
  DateTime made = from(std::chrono::local_time<microseconds>(instant.time_since_epoch()));
  made.time.zone = TimeZone::utc();
  return made;
}

std::chrono::local_time<microseconds> DateTime::wall_clock() const {
  return std::chrono::local_days(date.to_chrono()) + time.since_midnight();
}

std::optional<std::chrono::sys_time<microseconds>> DateTime::instant() const {
  if (!time.zone || !time.zone->utc_offset) return std::nullopt;
  return std::chrono::sys_time<microseconds>(wall_clock().time_since_epoch() - time.zone->utc_offset->to_chrono());
}

}  // namespace callgate
