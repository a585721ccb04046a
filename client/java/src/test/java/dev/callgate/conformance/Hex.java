package dev.callgate.conformance;

import dev.callgate.values.Values;
import java.util.HexFormat;

/** Values as the runner protocol has them: the hex of a serialized Value, through the conversions that users use. */
public final class Hex {
  private Hex() {}

  /** A Java value's hex. */
  public static String of(Object value) {
    return HexFormat.of().formatHex(Values.encode(value).toByteArray());
  }

  /** The Java value of a hex. */
  public static Object decode(String hex) {
    return Values.decode(HexFormat.of().parseHex(hex));
  }
}
