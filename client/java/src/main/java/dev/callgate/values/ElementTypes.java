package dev.callgate.values;

import com.google.protobuf.ByteString;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The element types of tensors, and whether a tensor's parts fit one another. */
final class ElementTypes {
  /** numpy 1's limit. */
  private static final int DIMENSIONS = 32;

  private static final Pattern TIMES =
      Pattern.compile("(?:datetime64|timedelta64)(?:\\[(?:[1-9][0-9]{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\\])?");
  private static final Pattern FIXED = Pattern.compile("([SU])(0|[1-9][0-9]{0,8})");

  /** Bytes of a long double by its format, which is the machine's: docs/adr/0009-long-doubles.md. */
  private static final Map<String, Integer> LONG_DOUBLES = Map.of("x87", 10, "binary128", 16, "double-double", 16);

  private static final Map<String, Integer> SIZES = new HashMap<>();

  static {
    for (String name : "bool int8 uint8".split(" ")) {
      SIZES.put(name, 1);
    }
    for (String name : "int16 uint16 float16 bfloat16".split(" ")) {
      SIZES.put(name, 2);
    }
    for (String name : "int32 uint32 float32".split(" ")) {
      SIZES.put(name, 4);
    }
    for (String name : "int64 uint64 float64 complex64".split(" ")) {
      SIZES.put(name, 8);
    }
    SIZES.put("complex128", 16);
    LONG_DOUBLES.forEach(
        (format, size) -> {
          SIZES.put("longdouble[" + format + "]", size);
          SIZES.put("clongdouble[" + format + "]", 2 * size);
        });
    for (String name : "e3m4 e4m3 e4m3b11fnuz e4m3fn e4m3fnuz e5m2 e5m2fnuz e8m0fnu".split(" ")) {
      SIZES.put("float8_" + name, 1);
    }
  }

  private ElementTypes() {}

  /** Bytes that an element takes; -1 if there is no such type. */
  private static long size(String dtype) {
    Integer size = SIZES.get(dtype);
    if (size != null) {
      return size;
    }
    if (dtype.length() > 32) {
      return -1;
    }
    if (TIMES.matcher(dtype).matches()) {
      return 8;
    }
    Matcher fixed = FIXED.matcher(dtype);
    return fixed.matches() ? Long.parseLong(fixed.group(2)) * (fixed.group(1).equals("U") ? 4 : 1) : -1;
  }

  /** What is wrong with a tensor; null if nothing is. */
  static String problem(String dtype, long[] shape, ByteString data, boolean scalar) {
    long size = size(dtype);
    if (size < 0) {
      return "a tensor has an unknown dtype: " + Problem.shown(dtype);
    }
    if (shape.length > DIMENSIONS || Arrays.stream(shape).anyMatch(n -> n < 0)) {
      return "a tensor has the shape " + shown(shape) + "; at most " + DIMENSIONS + " dimensions of 0 or more are right";
    }
    if (scalar && shape.length > 0) {
      return "a tensor is said to be a scalar and has a shape";
    }
    String takes;
    try {
      long count = count(shape);
      if (size == 0 && count > Budget.ELEMENTS) { // no bytes stand for the elements: only this bounds them
        return "a tensor of elements without width has too many of them";
      }
      long wanted = Math.multiplyExact(count, size);
      if (wanted == data.size()) {
        return dtype.endsWith("longdouble[x87]") ? x87Problem(data) : null;
      }
      takes = Long.toString(wanted);
    } catch (ArithmeticException overflow) {
      takes = "more than 2**63";
    }
    return "a tensor of shape " + shown(shape) + " and dtype " + dtype + " takes " + takes + " bytes, and has " + data.size();
  }

  /** The format writes the significand's leading bit out: it must be 0 if the exponent is 0, and 1 if not. */
  private static String x87Problem(ByteString data) {
    for (int at = 0; at < data.size(); at += 10) {
      boolean leading = data.byteAt(at + 7) < 0;
      boolean exponent = data.byteAt(at + 8) != 0 || (data.byteAt(at + 9) & 0x7F) != 0;
      if (leading != exponent) {
        return "a long double at byte " + at + " is no number of the x87 format: its leading bit contradicts its exponent";
      }
    }
    return null;
  }

  private static long count(long[] shape) {
    if (Arrays.stream(shape).anyMatch(n -> n == 0)) {
      return 0;
    }
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }

  private static String shown(long[] shape) {
    String text = Arrays.toString(shape);
    return text.length() <= 80 ? text : text.substring(0, 79) + "…";
  }
}
