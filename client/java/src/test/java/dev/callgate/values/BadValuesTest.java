package dev.callgate.values;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.callgate.ValueDecodeException;
import dev.callgate.v1.Date;
import dev.callgate.v1.DateTime;
import dev.callgate.v1.ListValue;
import dev.callgate.v1.MapEntry;
import dev.callgate.v1.MapValue;
import dev.callgate.v1.RecordField;
import dev.callgate.v1.StringMap;
import dev.callgate.v1.TimeDelta;
import dev.callgate.v1.TimeOfDay;
import dev.callgate.v1.TimeZone;
import dev.callgate.v1.Value;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.AbstractConstruct;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;

/** What the decoder refuses, and how it names the place. */
class BadValuesTest {
  private static final Path FILE = Path.of("..", "..", "tests", "conformance", "cases", "bad_values.yaml");

  private static final Value ONE = Value.newBuilder().setIntValue(1).build();
  private static final Value NO_KIND = Value.getDefaultInstance();

  /** The file's tags, !hex and !re, as plain strings. */
  private static final class Tagged extends SafeConstructor {
    Tagged() {
      super(new LoaderOptions());
      yamlMultiConstructors.put(
          "!",
          new AbstractConstruct() {
            @Override
            public Object construct(Node node) {
              return ((ScalarNode) node).getValue();
            }
          });
    }
  }

  static Stream<Arguments> files() throws IOException {
    try (Reader reader = Files.newBufferedReader(FILE)) {
      Map<String, List<Map<String, Object>>> file = new Yaml(new Tagged()).load(reader);
      List<Arguments> made = new ArrayList<>();
      for (Map<String, Object> bad : file.get("cases")) {
        if (bad.get("decode") instanceof String hex && bad.get("refused") != null) {
          made.add(Arguments.of(bad.get("name"), hex));
        }
      }
      return made.stream();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("files")
  void whatEveryDecoderRefusesIsRefused(String name, String hex) {
    assertThrows(ValueDecodeException.class, () -> Values.decode(HexFormat.of().parseHex(hex)), name);
  }

  private static Value list(Value... values) {
    return Value.newBuilder().setListValue(ListValue.newBuilder().addAllValues(List.of(values))).build();
  }

  private static Value stringMap(String key, Value value) {
    return Value.newBuilder().setStringMap(StringMap.newBuilder().addKeys(key).addValues(value)).build();
  }

  private static Value map(Value key, Value value) {
    MapEntry entry = MapEntry.newBuilder().setKey(key).setValue(value).build();
    return Value.newBuilder().setMapValue(MapValue.newBuilder().addEntries(entry)).build();
  }

  private static void assertRefusedAt(String path, Value value) {
    ValueDecodeException error = assertThrows(ValueDecodeException.class, () -> Values.decode(value));
    assertEquals(path, error.path());
    assertTrue(error.getMessage().startsWith(path + ": "), error.getMessage());
  }

  @Test
  void thePathNamesThePlace() {
    assertRefusedAt("result", NO_KIND);
    assertRefusedAt("result[1]['model']", list(ONE, stringMap("model", NO_KIND)));
    assertRefusedAt("result[1]", map(ONE, NO_KIND));
    assertRefusedAt("result.key(0)", map(NO_KIND, ONE));
    RecordField field = RecordField.newBuilder().setName("price").setValue(NO_KIND).build();
    assertRefusedAt(
        "result.price", Value.newBuilder().setRecordValue(dev.callgate.v1.Record.newBuilder().addFields(field)).build());
  }

  @Test
  void aHundredLevelsAreTakenAndOneMoreIsRefused() {
    Object hundred = "bottom";
    for (int i = 0; i < 100; i++) {
      hundred = List.of(hundred);
    }
    Value value = Values.encode(hundred);
    assertEquals(hundred, Values.decode(value));
    assertThrows(ValueDecodeException.class, () -> Values.decode(list(value)));
  }

  @Test
  void nestingAtEveryLevelIsRefused() {
    Value value = ONE;
    for (int i = 0; i < 7; i++) {
      value = Value.newBuilder().setNestedValue(value.toByteString()).build();
    }
    assertRefusedAt("result", value);
  }

  @Test
  void onlyWhatPythonCanHashIsAKey() {
    assertRefusedAt("result.key(0)", map(list(ONE), ONE));
    Value bytes = Value.newBuilder().setBytesValue(ByteString.copyFromUtf8("k")).build();
    assertEquals(Map.of(ByteString.copyFromUtf8("k"), 1L), Values.decode(map(bytes, ONE)));
    Value tuple = Value.newBuilder().setTupleValue(ListValue.newBuilder().addValues(bytes)).build();
    assertEquals(Map.of(Tuple.of(ByteString.copyFromUtf8("k")), 1L), Values.decode(map(tuple, ONE)));
    assertEquals(tuple, Values.encode(Tuple.of(ByteString.copyFromUtf8("k"))));
  }

  @Test
  void elementsThatAreEqualInPythonAreTwins() {
    Value yes = Value.newBuilder().setBoolValue(true).build();
    Value half = Value.newBuilder().setDoubleValue(1.0).build();
    for (Value twin : List.of(ONE, yes, half)) {
      ListValue both = ListValue.newBuilder().addValues(ONE).addValues(twin).build();
      assertRefusedAt("result", Value.newBuilder().setSetValue(both).build());
      assertRefusedAt("result", Value.newBuilder().setFrozensetValue(both).build());
    }
  }

  @Test
  void timesThatDoNotExistAreRefused() {
    Date day = Date.newBuilder().setYear(2024).setMonth(2).setDay(30).build();
    assertRefusedAt("result", Value.newBuilder().setDateValue(day).build());
    assertRefusedAt("result", Value.newBuilder().setDateValue(day.toBuilder().setYear(0).setDay(1)).build());
    assertRefusedAt("result", Value.newBuilder().setTimeValue(TimeOfDay.newBuilder().setHour(24)).build());
    assertRefusedAt("result", Value.newBuilder().setTimeValue(TimeOfDay.newBuilder().setMicrosecond(1_000_000)).build());
    assertRefusedAt("result", Value.newBuilder().setDatetimeValue(DateTime.getDefaultInstance()).build());
    for (TimeZone zone :
        List.of(
            TimeZone.newBuilder().setKey("../etc/passwd").build(),
            TimeZone.newBuilder().setUtcOffset(TimeDelta.newBuilder().setDays(1)).build())) {
      assertRefusedAt("result", Value.newBuilder().setTimeValue(TimeOfDay.newBuilder().setTimeZone(zone)).build());
    }
    TimeDelta longest = TimeDelta.newBuilder().setDays(999_999_999).setSeconds(86_400).build();
    assertRefusedAt("result", Value.newBuilder().setTimedeltaValue(longest).build());
  }

  @Test
  void bytesThatAreNoValueAreRefused() {
    assertThrows(ValueDecodeException.class, () -> Values.decode(Base64.getDecoder().decode("////")));
  }
}
