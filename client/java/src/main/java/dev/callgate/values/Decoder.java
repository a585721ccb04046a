package dev.callgate.values;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.callgate.v1.Arrow;
import dev.callgate.v1.MapEntry;
import dev.callgate.v1.RecordField;
import dev.callgate.v1.StringMap;
import dev.callgate.v1.Value;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * Value → Java, for one message. {@code hashable} says that Python would have to hash the value: it is a key or an element of
 * a set, or inside one.
 */
final class Decoder {
  private final Budget budget = new Budget();

  /** How many nested_values are being decoded, one inside the other. */
  private int nested;

  /** Decodes a value inside a container at that depth; 0 is outside of all. */
  Object decode(Value value, int depth, boolean hashable) {
    switch (value.getKindCase()) {
      case NULL_VALUE:
        return null;
      case BOOL_VALUE:
        return value.getBoolValue();
      case INT_VALUE:
        return value.getIntValue();
      case BIG_INT_VALUE:
        return bigInt(value.getBigIntValue());
      case DOUBLE_VALUE:
        return value.getDoubleValue();
      case STRING_VALUE:
        return value.getStringValue();
      case SURROGATE_STRING_VALUE:
        return Text.decode(value.getSurrogateStringValue());
      case BYTES_VALUE:
        // An array is equal to itself alone: no key.
        return hashable ? value.getBytesValue() : value.getBytesValue().toByteArray();
      case COMPLEX_VALUE:
        return new Complex(value.getComplexValue().getReal(), value.getComplexValue().getImag());
      case DECIMAL_VALUE:
        return decimal(value.getDecimalValue());
      case DATE_VALUE:
        return Temporals.read(value.getDateValue());
      case TIME_VALUE:
        return Temporals.read(value.getTimeValue());
      case DATETIME_VALUE:
        return Temporals.read(value.getDatetimeValue());
      case TIMEDELTA_VALUE:
        return Temporals.read(value.getTimedeltaValue());
      case UUID_VALUE:
        return uuid(value.getUuidValue());
      case TUPLE_VALUE:
        return new Tuple(elements(value.getTupleValue().getValuesList(), depth + 1, hashable));
      case FROZENSET_VALUE:
        return new FrozenSet(set(value.getFrozensetValue().getValuesList(), depth + 1, "frozenset"));
      case RECORD_VALUE:
        return record(value.getRecordValue(), depth + 1, hashable);
      case TENSOR_VALUE:
        return tensor(value.getTensorValue(), hashable);
      case NESTED_VALUE:
        return nested(value.getNestedValue(), depth, hashable);
      case KIND_NOT_SET:
        throw new Problem("a Value with no kind set (a newer server's kind, or an empty message)");
      default:
        if (hashable) {
          throw new Problem("a key or an element of a set is not hashable: " + value.getKindCase());
        }
        return container(value, depth + 1);
    }
  }

  /** The kinds that Python cannot hash. */
  private Object container(Value value, int depth) {
    switch (value.getKindCase()) {
      case LIST_VALUE:
        return Collections.unmodifiableList(elements(value.getListValue().getValuesList(), depth, false));
      case DOUBLE_LIST:
        return packed(value.getDoubleList().getValuesList(), depth);
      case INT_LIST:
        return packed(value.getIntList().getValuesList(), depth);
      case BOOL_LIST:
        return packed(value.getBoolList().getValuesList(), depth);
      case STRING_LIST:
        return packed(value.getStringList().getValuesList(), depth);
      case SET_VALUE:
        return Collections.unmodifiableSet(set(value.getSetValue().getValuesList(), depth, "set"));
      case MAP_VALUE:
        return Collections.unmodifiableMap(map(value.getMapValue().getEntriesList(), depth));
      case STRING_MAP:
        return Collections.unmodifiableMap(stringMap(value.getStringMap(), depth));
      case ARROW_VALUE:
        return arrow(value.getArrowValue());
      default:
        throw new Problem("values of kind " + value.getKindCase() + " are not taken here");
    }
  }

  private List<Object> elements(List<Value> values, int depth, boolean hashable) {
    budget.enter(depth, values.size());
    List<Object> items = new ArrayList<>(values.size());
    try {
      for (Value value : values) {
        items.add(decode(value, depth, hashable));
      }
    } catch (Problem problem) {
      throw problem.within(values, "[" + items.size() + "]");
    }
    return items;
  }

  /** protobuf's own lists: unmodifiable, and of plain numbers inside. */
  private List<?> packed(List<?> values, int depth) {
    budget.enter(depth, values.size());
    return Collections.unmodifiableList(values);
  }

  private Set<Object> set(List<Value> values, int depth, String kind) {
    List<Object> items = elements(values, depth, true);
    if (hasTwins(items)) {
      throw new Problem("a " + kind + " has an element twice");
    }
    return new LinkedHashSet<>(items);
  }

  private Map<Object, Object> map(List<MapEntry> entries, int depth) {
    budget.enter(depth, entries.size());
    List<Object> keys = new ArrayList<>(entries.size());
    Map<Object, Object> made = new LinkedHashMap<>();
    for (MapEntry entry : entries) {
      Object key;
      try {
        key = decode(entry.getKey(), depth, true);
      } catch (Problem problem) {
        throw problem.within(entries, ".key(" + keys.size() + ")");
      }
      keys.add(key);
      try {
        made.put(key, decode(entry.getValue(), depth, false));
      } catch (Problem problem) {
        throw problem.within(entries, "[" + Problem.shown(key) + "]");
      }
    }
    if (hasTwins(keys)) {
      throw new Problem("a key comes twice");
    }
    return made;
  }

  private Map<Object, Object> stringMap(StringMap message, int depth) {
    int count = message.getKeysCount();
    if (count != message.getValuesCount()) {
      throw new Problem("a string_map has " + count + " keys and " + message.getValuesCount() + " values");
    }
    budget.enter(depth, count);
    Map<Object, Object> made = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      String key = message.getKeys(i);
      try {
        made.put(key, decode(message.getValues(i), depth, false));
      } catch (Problem problem) {
        throw problem.within(message, "[" + Problem.shown(key) + "]");
      }
    }
    if (made.size() != count) {
      throw new Problem("a key comes twice in a string_map");
    }
    return made;
  }

  /** Whether two of them are equal in Python, where True, 1 and 1.0 are. */
  private static boolean hasTwins(List<Object> items) {
    Set<Object> seen = new HashSet<>();
    for (Object item : items) {
      if (!seen.add(asPythonCompares(item))) {
        return true;
      }
    }
    return false;
  }

  private static Object asPythonCompares(Object item) {
    if (item instanceof Boolean bool) {
      return bool ? 1L : 0L;
    }
    // Not beyond 2^53, where a double's neighbours are whole numbers too, and a cast would change it at 2^63.
    if (item instanceof Double number && number == Math.rint(number) && Math.abs(number) <= 1L << 53) {
      return number.longValue();
    }
    return item instanceof Tuple tuple ? tuple.items().stream().map(Decoder::asPythonCompares).toList() : item;
  }

  private PythonRecord record(dev.callgate.v1.Record message, int depth, boolean hashable) {
    budget.enter(depth, message.getFieldsCount());
    Map<String, Object> fields = new LinkedHashMap<>();
    for (RecordField field : message.getFieldsList()) {
      String name = field.getName();
      try {
        if (fields.containsKey(name)) {
          throw new Problem("a field comes twice");
        }
        fields.put(name, decode(field.getValue(), depth, hashable));
      } catch (Problem problem) {
        throw problem.within(message, "." + (name.length() <= 80 ? name : name.substring(0, 80)));
      }
    }
    PythonRecord.Form[] forms = PythonRecord.Form.values();
    int form = message.getFormValue();
    if (form < 0 || form >= forms.length) {
      throw new Problem("a record has the unknown form " + form);
    }
    return new PythonRecord(message.getTypeName(), forms[form], fields);
  }

  private static ArrowStream arrow(Arrow message) {
    ArrowStream.Form[] forms = ArrowStream.Form.values();
    int form = message.getFormValue();
    if (form < 0 || form >= forms.length) {
      throw new Problem("an arrow_value has the unknown form " + form);
    }
    return new ArrowStream(message.getIpcStream(), forms[form]);
  }

  private static Tensor tensor(dev.callgate.v1.Tensor message, boolean hashable) {
    if (hashable && !message.getScalar()) {
      throw new Problem("a key or an element of a set is not hashable: an array");
    }
    long[] shape = message.getShapeList().stream().mapToLong(Long::longValue).toArray();
    try {
      return new Tensor(message.getDtype(), shape, message.getData(), message.getScalar());
    } catch (IllegalArgumentException error) {
      throw new Problem(error.getMessage());
    }
  }

  private Object nested(ByteString data, int depth, boolean hashable) {
    if (nested >= Budget.NESTED) {
      throw new Problem("nested_value comes more often than every " + Budget.STRIDE + " levels");
    }
    Value inner;
    try {
      inner = Value.parseFrom(data);
    } catch (InvalidProtocolBufferException error) {
      throw new Problem("a nested_value is not a serialized Value");
    }
    nested++;
    try {
      return decode(inner, depth, hashable);
    } finally {
      nested--;
    }
  }

  private static Object bigInt(ByteString data) {
    if (data.isEmpty()) {
      throw new Problem("a big_int_value is empty");
    }
    BigInteger number = new BigInteger(data.toByteArray());
    // One int, one type: a sender that is not as short as possible must not make two of them.
    return PackedLists.fitsLong(number) ? (Object) number.longValue() : number;
  }

  private static Object decimal(String text) {
    if (!SpecialDecimal.isDecimal(text)) {
      throw new Problem("a decimal_value is no decimal number: " + Problem.shown(text));
    }
    try {
      BigDecimal number = new BigDecimal(text);
      return number.signum() == 0 && text.startsWith("-") ? new SpecialDecimal(text) : number;
    } catch (NumberFormatException | ArithmeticException beyond) {
      return new SpecialDecimal(text);
    }
  }

  private static UUID uuid(ByteString data) {
    if (data.size() != 16) {
      throw new Problem("a uuid_value has " + data.size() + " bytes; 16 are right");
    }
    var bytes = data.asReadOnlyByteBuffer();
    return new UUID(bytes.getLong(), bytes.getLong());
  }
}
