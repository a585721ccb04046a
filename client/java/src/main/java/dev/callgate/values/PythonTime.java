package dev.callgate.values;

import java.time.LocalTime;
import java.util.Objects;

/**
 * A Python time that neither {@link LocalTime} nor {@link java.time.OffsetTime} holds: in a zone with a key or a name, at an
 * offset that they do not take, or with {@code fold}.
 *
 * @param local the time of day
 * @param fold true for the second of two equal wall-clock times (PEP 495)
 * @param zone the zone; null for a naive time
 */
public record PythonTime(LocalTime local, boolean fold, PythonZone zone) {
  /**
   * Checks that there is a time of day.
   *
   * @param local the time of day
   * @param fold whether it is the second of two
   * @param zone the zone, or null
   */
  public PythonTime {
    Objects.requireNonNull(local, "local");
  }
}
