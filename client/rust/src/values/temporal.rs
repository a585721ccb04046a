//! Dates, times and spans of time, as Python has them: naive and aware ones are different, microseconds, `fold`, zones
//! with a key or a fixed offset. Rust's time crates keep some of it each; convert to the one of your choice.

use std::time::Duration;

use super::ValueError;

const DAY_SECONDS: i64 = 86_400;
const MOST_DAYS: i64 = 999_999_999;

/// `datetime.date`: a day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i32,
    month: i32,
    day: i32,
}

impl Date {
    /// A day: years 1 to 9999, months and days from 1.
    ///
    /// # Errors
    /// If there is no such day.
    pub fn new(year: i32, month: i32, day: i32) -> Result<Date, ValueError> {
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
            return Err(ValueError::new(format!("no such date: year {year}, month {month}, day {day}")));
        }
        Ok(Date { year, month, day })
    }

    /// The year, 1 to 9999.
    pub fn year(&self) -> i32 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(&self) -> i32 {
        self.month
    }

    /// The day, 1 to 31.
    pub fn day(&self) -> i32 {
        self.day
    }

    /// Days since a fixed day before all dates.
    fn number(&self) -> i64 {
        // https://en.wikipedia.org/wiki/Julian_day#Converting_Gregorian_calendar_date_to_Julian_Day_Number
        let (year, month, day) = (i64::from(self.year), i64::from(self.month), i64::from(self.day));
        let shift = (14 - month) / 12;
        let (y, m) = (year + 4800 - shift, month + 12 * shift - 3);
        day + (153 * m + 2) / 5 + 365 * y + y / 4 - y / 100 + y / 400
    }
}

fn days_of(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `datetime.time`: a time of day, naive or aware.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    hour: i32,
    minute: i32,
    second: i32,
    microsecond: i32,
    fold: bool,
    zone: Option<TimeZone>,
}

impl Time {
    /// A naive time.
    ///
    /// # Errors
    /// If there is no such time; Python has no leap seconds.
    pub fn new(hour: i32, minute: i32, second: i32, microsecond: i32) -> Result<Time, ValueError> {
        let fits = |number: i32, limit: i32| (0..limit).contains(&number);
        if !(fits(hour, 24) && fits(minute, 60) && fits(second, 60) && fits(microsecond, 1_000_000)) {
            let shown = format!("{hour}:{minute}:{second} and {microsecond} µs");
            return Err(ValueError::new(format!("no such time: {shown}")));
        }
        Ok(Time { hour, minute, second, microsecond, fold: false, zone: None })
    }

    /// The same time in a zone: an aware one.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Time {
        self.zone = Some(zone);
        self
    }

    /// The same time, as the first or the second of two equal wall-clock times (PEP 495).
    #[must_use]
    pub fn with_fold(mut self, fold: bool) -> Time {
        self.fold = fold;
        self
    }

    /// The hour, 0 to 23.
    pub fn hour(&self) -> i32 {
        self.hour
    }

    /// The minute, 0 to 59.
    pub fn minute(&self) -> i32 {
        self.minute
    }

    /// The second, 0 to 59.
    pub fn second(&self) -> i32 {
        self.second
    }

    /// The microsecond, 0 to 999,999.
    pub fn microsecond(&self) -> i32 {
        self.microsecond
    }

    /// Whether it is the second of two equal wall-clock times.
    pub fn fold(&self) -> bool {
        self.fold
    }

    /// The zone; none if the time is naive.
    pub fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }

    fn microseconds(&self) -> i64 {
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        seconds * 1_000_000 + i64::from(self.microsecond)
    }

    /// What makes two times equal: microseconds, less the offset of aware ones; and whether it is aware.
    pub(super) fn instant(&self) -> (i64, bool) {
        match self.zone.as_ref().and_then(TimeZone::utc_offset) {
            Some(offset) => (self.microseconds() - offset.total_microseconds() as i64, true),
            None => (self.microseconds(), false),
        }
    }
}

/// `datetime.datetime`: a day and a time, naive or aware.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// The time; its zone is the datetime's.
    pub time: Time,
}

impl DateTime {
    /// What makes two datetimes equal, as for [`Time`].
    pub(super) fn instant(&self) -> (i64, bool) {
        let (microseconds, aware) = self.time.instant();
        (self.date.number() * DAY_SECONDS * 1_000_000 + microseconds, aware)
    }
}

/// A time zone, as an aware time or datetime carries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeZone {
    offset: Option<TimeDelta>,
    key: String,
    name: String,
}

impl TimeZone {
    /// UTC, as `datetime.timezone.utc`.
    pub const UTC: TimeZone = TimeZone { offset: Some(TimeDelta::ZERO), key: String::new(), name: String::new() };

    /// A fixed offset, as `datetime.timezone(offset)`.
    ///
    /// # Errors
    /// If it is a day or more.
    pub fn fixed(utc_offset: TimeDelta) -> Result<TimeZone, ValueError> {
        check_offset(utc_offset)?;
        Ok(TimeZone { offset: Some(utc_offset), key: String::new(), name: String::new() })
    }

    /// A fixed offset with a name, as `datetime.timezone(offset, name)`.
    ///
    /// # Errors
    /// If it is a day or more.
    pub fn named(utc_offset: TimeDelta, name: impl Into<String>) -> Result<TimeZone, ValueError> {
        Ok(TimeZone { name: name.into(), ..TimeZone::fixed(utc_offset)? })
    }

    /// A zone of the IANA database, as `zoneinfo.ZoneInfo(key)`.
    ///
    /// The offset is the one that holds for the value, for readers without a zone database; none for a time of day,
    /// whose offset depends on the day.
    ///
    /// # Errors
    /// If that is no key (`"Europe/Paris"`), or the offset is a day or more.
    pub fn iana(key: impl Into<String>, utc_offset: Option<TimeDelta>) -> Result<TimeZone, ValueError> {
        let key = key.into();
        if !is_zone_key(&key) {
            let shown: String = key.chars().take(80).collect();
            return Err(ValueError::new(format!("{shown:?} is no key of the IANA time zone database")));
        }
        utc_offset.map_or(Ok(()), check_offset)?;
        Ok(TimeZone { offset: utc_offset, key, name: String::new() })
    }

    /// The offset from UTC that held for the value.
    pub fn utc_offset(&self) -> Option<TimeDelta> {
        self.offset
    }

    /// The IANA key; empty for a fixed offset.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name of a fixed offset that was given one, else empty.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn check_offset(offset: TimeDelta) -> Result<(), ValueError> {
    if offset.total_microseconds().abs() < i128::from(DAY_SECONDS) * 1_000_000 {
        return Ok(());
    }
    Err(ValueError::new("a time zone's offset is less than 24 hours, either way"))
}

/// What a file below a zoneinfo directory may be called, and nothing that leaves it.
fn is_zone_key(key: &str) -> bool {
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_+-".contains(&b);
        part.bytes().all(plain) && part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
    };
    // The longest in use has 32 characters and three parts.
    key.len() <= 64 && key.split('/').count() <= 4 && key.split('/').all(part)
}

/// `datetime.timedelta`: a span of time in microseconds, normalized: only days may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeDelta {
    days: i32,
    seconds: i32,
    microseconds: i32,
}

impl TimeDelta {
    /// No time.
    pub const ZERO: TimeDelta = TimeDelta { days: 0, seconds: 0, microseconds: 0 };

    /// The sum of so many days, seconds and microseconds, each of either sign.
    ///
    /// # Errors
    /// If it is beyond 999,999,999 days.
    pub fn new(days: i64, seconds: i64, microseconds: i64) -> Result<TimeDelta, ValueError> {
        let seconds = i128::from(days) * i128::from(DAY_SECONDS) + i128::from(seconds);
        TimeDelta::of_microseconds(seconds * 1_000_000 + i128::from(microseconds))
    }

    fn of_microseconds(total: i128) -> Result<TimeDelta, ValueError> {
        let day = i128::from(DAY_SECONDS) * 1_000_000;
        let (days, rest) = (total.div_euclid(day), total.rem_euclid(day));
        if days.abs() > i128::from(MOST_DAYS) {
            return Err(ValueError::new("a timedelta is beyond 999,999,999 days"));
        }
        // All three are in range by now.
        Ok(TimeDelta { days: days as i32, seconds: (rest / 1_000_000) as i32, microseconds: (rest % 1_000_000) as i32 })
    }

    /// Days, of either sign.
    pub fn days(&self) -> i32 {
        self.days
    }

    /// Seconds beside the days, 0 to 86,399.
    pub fn seconds(&self) -> i32 {
        self.seconds
    }

    /// Microseconds beside the seconds, 0 to 999,999.
    pub fn microseconds(&self) -> i32 {
        self.microseconds
    }

    /// All of it in microseconds.
    pub fn total_microseconds(&self) -> i128 {
        let seconds = i128::from(self.days) * i128::from(DAY_SECONDS) + i128::from(self.seconds);
        seconds * 1_000_000 + i128::from(self.microseconds)
    }
}

impl TryFrom<Duration> for TimeDelta {
    type Error = ValueError;

    /// Refuses what has parts of a microsecond, or is beyond 999,999,999 days.
    fn try_from(duration: Duration) -> Result<TimeDelta, ValueError> {
        if !duration.subsec_nanos().is_multiple_of(1000) {
            return Err(ValueError::new(format!("{duration:?} has parts of a microsecond; a timedelta has none")));
        }
        TimeDelta::of_microseconds(duration.as_micros() as i128)
    }
}

impl TryFrom<TimeDelta> for Duration {
    type Error = ValueError;

    /// Refuses what is negative.
    fn try_from(delta: TimeDelta) -> Result<Duration, ValueError> {
        let seconds = i64::from(delta.days) * DAY_SECONDS + i64::from(delta.seconds);
        let seconds = u64::try_from(seconds).map_err(|_| ValueError::new("a negative timedelta is no Duration"))?;
        Ok(Duration::new(seconds, delta.microseconds as u32 * 1000))
    }
}
