package dev.callgate.values;

import com.google.protobuf.ByteString;
import dev.callgate.v1.Arrow;
import dev.callgate.v1.ListValue;
import dev.callgate.v1.MapEntry;
import dev.callgate.v1.MapValue;
import dev.callgate.v1.NullValue;
import dev.callgate.v1.RecordField;
import dev.callgate.v1.StringMap;
import dev.callgate.v1.Value;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.AbstractList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Java → Value, for one message. */
final class Encoder {
  private static final Value NULL = Value.newBuilder().setNullValue(NullValue.NULL_VALUE_UNSPECIFIED).build();

  private final Budget budget = new Budget();

  /** Encodes a value inside a container at that depth; 0 is outside of all. */
  Value encode(Object value, int depth) {
    if (value == null) {
      return NULL;
    }
    if (value instanceof String text) {
      return Text.encode(text);
    }
    if (value instanceof Double || value instanceof Float) {
      return Value.newBuilder().setDoubleValue(((Number) value).doubleValue()).build();
    }
    if (PackedLists.fitsLong(value)) {
      return Value.newBuilder().setIntValue(((Number) value).longValue()).build();
    }
    if (value instanceof Boolean bool) {
      return Value.newBuilder().setBoolValue(bool).build();
    }
    if (value instanceof List<?> list) {
      return list(list, value, depth + 1);
    }
    if (value instanceof Map<?, ?> map) {
      return map(map, depth + 1);
    }
    if (value instanceof byte[] bytes) {
      return Value.newBuilder().setBytesValue(ByteString.copyFrom(bytes)).build();
    }
    if (value instanceof Tuple tuple) {
      return nested(Value.newBuilder().setTupleValue(elements(tuple.items(), value, depth + 1)).build(), depth + 1);
    }
    if (value instanceof Set<?> set) {
      return nested(Value.newBuilder().setSetValue(elements(set, value, depth + 1)).build(), depth + 1);
    }
    if (value instanceof FrozenSet set) {
      return nested(Value.newBuilder().setFrozensetValue(elements(set.items(), value, depth + 1)).build(), depth + 1);
    }
    if (value instanceof PythonRecord record) {
      return record(record, value, depth + 1);
    }
    if (value.getClass().isArray()) {
      return list(elementsOf(value), value, depth + 1);
    }
    Value made = scalar(value);
    if (made == null) {
      made = temporal(value);
    }
    if (made != null) {
      return made;
    }
    if (value instanceof Record record) {
      return record(JavaRecords.of(record), value, depth + 1);
    }
    if (value instanceof Enum<?> constant) {
      return record(JavaRecords.of(constant), value, depth + 1);
    }
    throw new Problem(refusal(value));
  }

  private static Value scalar(Object value) {
    Value.Builder made = Value.newBuilder();
    if (value instanceof BigInteger number) {
      return made.setBigIntValue(ByteString.copyFrom(number.toByteArray())).build();
    }
    if (value instanceof ByteString bytes) {
      return made.setBytesValue(bytes).build();
    }
    if (value instanceof BigDecimal number) {
      return made.setDecimalValue(number.toString()).build();
    }
    if (value instanceof SpecialDecimal number) {
      return made.setDecimalValue(number.text()).build();
    }
    if (value instanceof Complex number) {
      return made.setComplexValue(
              dev.callgate.v1.Complex.newBuilder().setReal(number.real()).setImag(number.imag()))
          .build();
    }
    if (value instanceof UUID id) {
      ByteBuffer bytes = ByteBuffer.allocate(16);
      bytes.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits()).flip();
      return made.setUuidValue(ByteString.copyFrom(bytes)).build();
    }
    if (value instanceof Tensor tensor) {
      dev.callgate.v1.Tensor.Builder message =
          dev.callgate.v1.Tensor.newBuilder()
              .setDtype(tensor.dtype())
              .setData(tensor.data())
              .setScalar(tensor.scalar());
      for (long size : tensor.shape()) {
        message.addShape(size);
      }
      return made.setTensorValue(message).build();
    }
    if (value instanceof ArrowStream stream) {
      return made.setArrowValue(
              Arrow.newBuilder().setIpcStream(stream.ipcStream()).setFormValue(stream.form().ordinal()))
          .build();
    }
    return value instanceof SurrogateText text ? made.setSurrogateStringValue(text.wtf8()).build() : null;
  }

  private static Value temporal(Object value) {
    Value.Builder made = Value.newBuilder();
    if (value instanceof LocalDate day) {
      return made.setDateValue(Temporals.date(day)).build();
    }
    if (value instanceof LocalDateTime moment) {
      return made.setDatetimeValue(Temporals.dateTime(moment, Temporals.time(moment.toLocalTime()))).build();
    }
    if (value instanceof OffsetDateTime moment) {
      return made.setDatetimeValue(Temporals.dateTime(moment)).build();
    }
    if (value instanceof ZonedDateTime moment) {
      return made.setDatetimeValue(Temporals.dateTime(moment)).build();
    }
    if (value instanceof Instant moment) {
      return made.setDatetimeValue(Temporals.dateTime(moment.atOffset(ZoneOffset.UTC))).build();
    }
    if (value instanceof PythonDateTime moment) {
      return made.setDatetimeValue(Temporals.dateTime(moment)).build();
    }
    if (value instanceof LocalTime time) {
      return made.setTimeValue(Temporals.time(time)).build();
    }
    if (value instanceof OffsetTime time) {
      return made.setTimeValue(Temporals.time(time)).build();
    }
    if (value instanceof PythonTime time) {
      return made.setTimeValue(Temporals.time(time)).build();
    }
    return value instanceof Duration span ? made.setTimedeltaValue(Temporals.timeDelta(span)).build() : null;
  }

  private Value list(List<?> list, Object holder, int depth) {
    Value packed = PackedLists.pack(list);
    if (packed != null) {
      budget.enter(depth, list.size());
      return packed;
    }
    return nested(Value.newBuilder().setListValue(elements(list, holder, depth)).build(), depth);
  }

  private ListValue elements(Collection<?> items, Object holder, int depth) {
    budget.enter(depth, items.size());
    ListValue.Builder made = ListValue.newBuilder();
    try {
      for (Object item : items) {
        made.addValues(encode(item, depth));
      }
    } catch (Problem problem) {
      throw problem.within(holder, "[" + made.getValuesCount() + "]");
    }
    return made.build();
  }

  private Value map(Map<?, ?> map, int depth) {
    budget.enter(depth, map.size());
    boolean packed = true;
    for (Object key : map.keySet()) {
      if (!(key instanceof String text) || !Text.isWellFormed(text)) {
        packed = false;
        break;
      }
    }
    return nested(packed ? stringMap(map, depth) : entries(map, depth), depth);
  }

  private Value stringMap(Map<?, ?> map, int depth) {
    StringMap.Builder made = StringMap.newBuilder();
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      made.addKeys((String) entry.getKey());
      try {
        made.addValues(encode(entry.getValue(), depth));
      } catch (Problem problem) {
        throw problem.within(map, "[" + Problem.shown(entry.getKey()) + "]");
      }
    }
    return Value.newBuilder().setStringMap(made).build();
  }

  private Value entries(Map<?, ?> map, int depth) {
    MapValue.Builder made = MapValue.newBuilder();
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      MapEntry.Builder pair = MapEntry.newBuilder();
      try {
        pair.setKey(encode(entry.getKey(), depth));
      } catch (Problem problem) {
        throw problem.within(map, ".key(" + Problem.shown(entry.getKey()) + ")");
      }
      try {
        pair.setValue(encode(entry.getValue(), depth));
      } catch (Problem problem) {
        throw problem.within(map, "[" + Problem.shown(entry.getKey()) + "]");
      }
      made.addEntries(pair);
    }
    return Value.newBuilder().setMapValue(made).build();
  }

  private Value record(PythonRecord record, Object holder, int depth) {
    budget.enter(depth, record.fields().size());
    dev.callgate.v1.Record.Builder made =
        dev.callgate.v1.Record.newBuilder().setTypeName(record.typeName()).setFormValue(record.form().ordinal());
    if (!Text.isWellFormed(record.typeName())) {
      throw new Problem("a record's type name has lone surrogates");
    }
    for (Map.Entry<String, Object> field : record.fields().entrySet()) {
      String name = field.getKey();
      try {
        if (!Text.isWellFormed(name)) {
          throw new Problem("a field's name has lone surrogates");
        }
        made.addFields(RecordField.newBuilder().setName(name).setValue(encode(field.getValue(), depth)));
      } catch (Problem problem) {
        throw problem.within(holder, "." + name);
      }
    }
    return nested(Value.newBuilder().setRecordValue(made).build(), depth);
  }

  /** A container as it travels at its depth: see {@link Budget#STRIDE}. */
  private static Value nested(Value container, int depth) {
    return depth % Budget.STRIDE != 0 ? container : Value.newBuilder().setNestedValue(container.toByteString()).build();
  }

  private static List<Object> elementsOf(Object array) {
    if (array instanceof char[]) {
      throw new Problem("char[] has no Value form (use String.valueOf(chars))");
    }
    return new AbstractList<>() {
      @Override
      public Object get(int index) {
        return Array.get(array, index);
      }

      @Override
      public int size() {
        return Array.getLength(array);
      }
    };
  }

  private static String refusal(Object value) {
    String hint = "";
    if (value instanceof Character) {
      hint = " (use a String)";
    } else if (value instanceof Iterable || value instanceof java.util.stream.BaseStream) {
      hint = " (use a List)";
    } else if (value instanceof java.util.Date || value instanceof java.util.Calendar) {
      hint = " (use java.time)";
    } else if (value instanceof java.util.Optional) {
      hint = " (use its value, or null)";
    }
    return value.getClass().getName() + " has no Value form" + hint;
  }
}
