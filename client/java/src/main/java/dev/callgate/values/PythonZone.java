package dev.callgate.values;

import java.time.Duration;

/**
 * A time zone as a Python time or datetime carries it: a fixed offset, with a name or without, or a zone of the IANA
 * database.
 *
 * @param utcOffset the offset from UTC that held; null for a time of day in a zone, where it depends on the day
 * @param key the zone's key in the IANA database ({@code "Europe/Paris"}); empty for a fixed offset
 * @param name the fixed offset's name; empty if it has none
 */
public record PythonZone(Duration utcOffset, String key, String name) {
  /**
   * Checks that it is one of the two.
   *
   * @param utcOffset the offset, or null
   * @param key the zone's key, or empty
   * @param name the offset's name, or empty
   * @throws IllegalArgumentException if it has neither an offset nor a key
   */
  public PythonZone {
    if (utcOffset == null && key.isEmpty()) {
      throw new IllegalArgumentException("a fixed offset needs the offset");
    }
  }
}
