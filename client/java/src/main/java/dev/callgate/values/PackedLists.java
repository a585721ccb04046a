package dev.callgate.values;

import dev.callgate.v1.BoolList;
import dev.callgate.v1.DoubleList;
import dev.callgate.v1.IntList;
import dev.callgate.v1.StringList;
import dev.callgate.v1.Value;
import java.math.BigInteger;
import java.util.List;

/** Lists of one plain type, which travel as one packed field. */
final class PackedLists {
  private PackedLists() {}

  /** The packed form of a list; null if it has none. */
  static Value pack(List<?> list) {
    if (list.isEmpty()) {
      return null; // no packed form says of what
    }
    Object first = list.get(0);
    if (first instanceof Double || first instanceof Float) {
      return doubles(list);
    }
    if (first instanceof String) {
      return strings(list);
    }
    if (first instanceof Boolean) {
      return bools(list);
    }
    return first instanceof Number && fitsLong(first) ? ints(list) : null;
  }

  /** Whether a value is an int of 64 bits. */
  static boolean fitsLong(Object value) {
    return value instanceof Long
        || value instanceof Integer
        || value instanceof Short
        || value instanceof Byte
        || value instanceof BigInteger big && big.bitLength() < Long.SIZE;
  }

  private static Value doubles(List<?> list) {
    DoubleList.Builder made = DoubleList.newBuilder();
    for (Object item : list) {
      if (item instanceof Double number) {
        made.addValues(number);
      } else if (item instanceof Float number) {
        made.addValues(number);
      } else {
        return null;
      }
    }
    return Value.newBuilder().setDoubleList(made).build();
  }

  private static Value ints(List<?> list) {
    IntList.Builder made = IntList.newBuilder();
    for (Object item : list) {
      if (!fitsLong(item)) {
        return null;
      }
      made.addValues(((Number) item).longValue());
    }
    return Value.newBuilder().setIntList(made).build();
  }

  private static Value bools(List<?> list) {
    BoolList.Builder made = BoolList.newBuilder();
    for (Object item : list) {
      if (!(item instanceof Boolean bool)) {
        return null;
      }
      made.addValues(bool);
    }
    return Value.newBuilder().setBoolList(made).build();
  }

  private static Value strings(List<?> list) {
    StringList.Builder made = StringList.newBuilder();
    for (Object item : list) {
      if (!(item instanceof String text) || !Text.isWellFormed(text)) {
        return null;
      }
      made.addValues(text);
    }
    return Value.newBuilder().setStringList(made).build();
  }
}
