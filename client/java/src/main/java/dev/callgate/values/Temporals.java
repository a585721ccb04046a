package dev.callgate.values;

import dev.callgate.v1.Date;
import dev.callgate.v1.DateTime;
import dev.callgate.v1.TimeDelta;
import dev.callgate.v1.TimeOfDay;
import dev.callgate.v1.TimeZone;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.zone.ZoneRules;
import java.time.zone.ZoneRulesException;
import java.time.zone.ZoneRulesProvider;
import java.util.List;
import java.util.regex.Pattern;

/** Dates, times and spans of time: java.time's types where they hold all of a value, else this package's. */
final class Temporals {
  /** A key of the IANA database: what a file of it may be called, and nothing that leaves its folder. */
  private static final Pattern KEY = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,3}");

  private static final int KEY_CHARS = 64;
  private static final int DAY_SECONDS = 86_400;

  /** Python's timedelta and what may be an offset from UTC. */
  private static final Duration LONGEST = Duration.ofDays(1_000_000_000);

  private static final Duration SHORTEST = Duration.ofDays(-999_999_999);
  private static final Duration DAY = Duration.ofDays(1);

  private Temporals() {}

  // Java → messages

  static Date date(LocalDate day) {
    if (day.getYear() < 1 || day.getYear() > 9999) {
      throw new Problem("the year " + day.getYear() + " is none of Python's, which are 1 to 9999");
    }
    return Date.newBuilder().setYear(day.getYear()).setMonth(day.getMonthValue()).setDay(day.getDayOfMonth()).build();
  }

  static TimeOfDay.Builder time(LocalTime time) {
    return TimeOfDay.newBuilder()
        .setHour(time.getHour())
        .setMinute(time.getMinute())
        .setSecond(time.getSecond())
        .setMicrosecond(micros(time.getNano()));
  }

  private static int micros(int nanos) {
    if (nanos % 1000 != 0) {
      throw new Problem("it has nanoseconds, and Python's times have microseconds: use truncatedTo(ChronoUnit.MICROS)");
    }
    return nanos / 1000;
  }

  static TimeOfDay time(OffsetTime time) {
    return time(time.toLocalTime()).setTimeZone(zone(time.getOffset())).build();
  }

  static TimeOfDay time(PythonTime time) {
    TimeOfDay.Builder made = time(time.local()).setFold(time.fold());
    return time.zone() == null ? made.build() : made.setTimeZone(zone(time.zone())).build();
  }

  static DateTime dateTime(LocalDateTime local, TimeOfDay.Builder time) {
    return DateTime.newBuilder().setDate(date(local.toLocalDate())).setTime(time).build();
  }

  static DateTime dateTime(OffsetDateTime moment) {
    TimeOfDay.Builder time = time(moment.toLocalTime()).setTimeZone(zone(moment.getOffset()));
    return dateTime(moment.toLocalDateTime(), time);
  }

  static DateTime dateTime(PythonDateTime moment) {
    TimeOfDay.Builder time = time(moment.local().toLocalTime()).setFold(moment.fold());
    if (moment.zone() != null) {
      time.setTimeZone(zone(moment.zone()));
    }
    return dateTime(moment.local(), time);
  }

  static DateTime dateTime(ZonedDateTime moment) {
    ZoneId zone = moment.getZone();
    if (zone instanceof ZoneOffset) {
      return dateTime(moment.toOffsetDateTime());
    }
    TimeZone.Builder made = TimeZone.newBuilder().setUtcOffset(timeDelta(offset(moment.getOffset())));
    if (isKey(zone.getId())) {
      made.setKey(zone.getId());
    } else if (zone.getRules().isFixedOffset()) { // "UTC+01:00"
      made.setName(zone.getId());
    } else {
      throw new Problem("the zone " + Problem.shown(zone.getId()) + " is not of the IANA database");
    }
    LocalDateTime local = moment.toLocalDateTime();
    List<ZoneOffset> offsets = zone.getRules().getValidOffsets(local);
    boolean fold = offsets.size() == 2 && offsets.get(1).equals(moment.getOffset());
    return dateTime(local, time(local.toLocalTime()).setFold(fold).setTimeZone(made));
  }

  static TimeDelta timeDelta(Duration span) {
    if (span.compareTo(SHORTEST) < 0 || span.compareTo(LONGEST) >= 0) {
      throw new Problem("a timedelta is beyond 999,999,999 days");
    }
    return TimeDelta.newBuilder()
        .setDays((int) Math.floorDiv(span.getSeconds(), DAY_SECONDS))
        .setSeconds((int) Math.floorMod(span.getSeconds(), (long) DAY_SECONDS))
        .setMicroseconds(micros(span.getNano()))
        .build();
  }

  private static Duration offset(ZoneOffset offset) {
    return Duration.ofSeconds(offset.getTotalSeconds());
  }

  private static TimeZone zone(ZoneOffset offset) {
    return TimeZone.newBuilder().setUtcOffset(timeDelta(offset(offset))).build();
  }

  private static TimeZone zone(PythonZone zone) {
    if (!Text.isWellFormed(zone.name())) {
      throw new Problem("a time zone's name has lone surrogates");
    }
    TimeZone.Builder made = TimeZone.newBuilder().setKey(zone.key()).setName(zone.name());
    return zone.utcOffset() == null ? made.build() : made.setUtcOffset(timeDelta(zone.utcOffset())).build();
  }

  // Messages → Java

  static LocalDate read(Date message) {
    if (message.getYear() < 1 || message.getYear() > 9999) {
      throw new Problem("no such date: the year is " + message.getYear());
    }
    try {
      return LocalDate.of(message.getYear(), message.getMonth(), message.getDay());
    } catch (DateTimeException error) {
      throw new Problem("no such date: " + error.getMessage());
    }
  }

  private static LocalTime local(TimeOfDay message) {
    int micros = message.getMicrosecond();
    if (micros < 0 || micros > 999_999) {
      throw new Problem("no such time: the microsecond is " + micros);
    }
    try {
      return LocalTime.of(message.getHour(), message.getMinute(), message.getSecond(), micros * 1000);
    } catch (DateTimeException error) {
      throw new Problem("no such time: " + error.getMessage());
    }
  }

  /** LocalTime, OffsetTime or PythonTime. */
  static Object read(TimeOfDay message) {
    LocalTime local = local(message);
    PythonZone zone = message.hasTimeZone() ? read(message.getTimeZone()) : null;
    if (!message.getFold()) {
      if (zone == null) {
        return local;
      }
      ZoneOffset offset = plainOffset(zone);
      if (offset != null) {
        return local.atOffset(offset);
      }
    }
    return new PythonTime(local, message.getFold(), zone);
  }

  /** LocalDateTime, OffsetDateTime, ZonedDateTime or PythonDateTime. */
  static Object read(DateTime message) {
    TimeOfDay time = message.getTime();
    LocalDateTime local = read(message.getDate()).atTime(local(time));
    PythonZone zone = time.hasTimeZone() ? read(time.getTimeZone()) : null;
    boolean fold = time.getFold();
    if (zone != null && !zone.key().isEmpty()) {
      ZonedDateTime zoned = zoned(local, fold, zone);
      return zoned != null ? zoned : new PythonDateTime(local, fold, zone);
    }
    if (!fold) {
      if (zone == null) {
        return local;
      }
      ZoneOffset offset = plainOffset(zone);
      if (offset != null) {
        return local.atOffset(offset);
      }
    }
    return new PythonDateTime(local, fold, zone);
  }

  static Duration read(TimeDelta message) {
    Duration span =
        Duration.ofDays(message.getDays())
            .plusSeconds(message.getSeconds())
            .plusNanos(message.getMicroseconds() * 1000L);
    if (span.compareTo(SHORTEST) < 0 || span.compareTo(LONGEST) >= 0) {
      throw new Problem("a timedelta is beyond 999,999,999 days");
    }
    return span;
  }

  private static PythonZone read(TimeZone message) {
    String key = message.getKey();
    if (!key.isEmpty() && !isKey(key)) {
      throw new Problem(Problem.shown(key) + " is no key of the IANA time zone database");
    }
    Duration offset = key.isEmpty() || message.hasUtcOffset() ? read(message.getUtcOffset()) : null;
    if (offset != null && offset.abs().compareTo(DAY) >= 0) {
      throw new Problem("a time zone's offset is a day or more");
    }
    return new PythonZone(offset, key, message.getName());
  }

  private static boolean isKey(String key) {
    return key.length() <= KEY_CHARS && KEY.matcher(key).matches();
  }

  /** The offset of a zone that is nothing but an offset, and one that Java takes (whole seconds, up to 18 hours). */
  private static ZoneOffset plainOffset(PythonZone zone) {
    Duration offset = zone.utcOffset();
    boolean plain = zone.key().isEmpty() && zone.name().isEmpty() && offset.getNano() == 0;
    return plain && Math.abs(offset.getSeconds()) <= ZoneOffset.MAX.getTotalSeconds()
        ? ZoneOffset.ofTotalSeconds((int) offset.getSeconds())
        : null;
  }

  /** The same datetime in Java's zone of that key; null if there is none, or it would be another datetime. */
  private static ZonedDateTime zoned(LocalDateTime local, boolean fold, PythonZone zone) {
    ZoneRules rules;
    try {
      rules = ZoneRulesProvider.getRules(zone.key(), false);
    } catch (ZoneRulesException unknown) {
      return null;
    }
    List<ZoneOffset> offsets = rules.getValidOffsets(local);
    if (offsets.isEmpty() || fold && offsets.size() == 1 || !zone.name().isEmpty()) {
      return null;
    }
    ZoneOffset offset = offsets.get(fold ? 1 : 0);
    if (zone.utcOffset() != null && !zone.utcOffset().equals(offset(offset))) {
      return null; // other rules than the sender's
    }
    return ZonedDateTime.ofLocal(local, ZoneId.of(zone.key()), offset);
  }
}
