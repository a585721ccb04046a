package dev.callgate.values;

import java.util.regex.Pattern;

/**
 * A Python Decimal that no {@link java.math.BigDecimal} holds: NaN with or without a payload, an infinity, a negative
 * zero, an exponent beyond 32 bits.
 *
 * @param text the number as Python's {@code str(Decimal)} writes it: {@code "-0E+3"}, {@code "sNaN12"}
 */
public record SpecialDecimal(String text) {
  // The notation of str(Decimal) and no other: Decimal() itself would take underscores, too.
  private static final Pattern NOTATION =
      Pattern.compile(
          "-?(?:[0-9]+(?:\\.[0-9]*)?(?:E[+-]?[0-9]+)?|\\.[0-9]+(?:E[+-]?[0-9]+)?|Infinity|s?NaN[0-9]*)",
          Pattern.CASE_INSENSITIVE);

  /**
   * Checks the notation.
   *
   * @param text the number
   * @throws IllegalArgumentException if the text is no decimal number
   */
  public SpecialDecimal {
    if (!isDecimal(text)) {
      throw new IllegalArgumentException("no decimal number: " + Problem.shown(text));
    }
  }

  static boolean isDecimal(String text) {
    return NOTATION.matcher(text).matches();
  }
}
