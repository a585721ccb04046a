package dev.callgate.values;

import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Objects;
import java.util.Optional;

/**
 * A Python datetime that neither {@link LocalDateTime}, {@link OffsetDateTime} nor {@link java.time.ZonedDateTime} holds: at
 * an offset with a name, in a zone that Java does not know or has other rules for, at a wall-clock time that a zone left
 * out, or with a {@code fold} that tells nothing.
 *
 * @param local the day and time of day
 * @param fold true for the second of two equal wall-clock times (PEP 495)
 * @param zone the zone; null for a naive datetime
 */
public record PythonDateTime(LocalDateTime local, boolean fold, PythonZone zone) {
  /**
   * Checks that there are a day and a time of day.
   *
   * @param local the day and time of day
   * @param fold whether it is the second of two
   * @param zone the zone, or null
   */
  public PythonDateTime {
    Objects.requireNonNull(local, "local");
  }

  /**
   * The datetime at the offset that held.
   *
   * @return the same moment, without what made this no OffsetDateTime; empty if the datetime is naive, or its offset is not
   *     known or none that Java takes
   */
  public Optional<OffsetDateTime> toOffsetDateTime() {
    if (zone == null || zone.utcOffset() == null || zone.utcOffset().getNano() != 0) {
      return Optional.empty();
    }
    try {
      return Optional.of(local.atOffset(ZoneOffset.ofTotalSeconds(Math.toIntExact(zone.utcOffset().getSeconds()))));
    } catch (DateTimeException beyond) {
      return Optional.empty();
    }
  }
}
