package dev.callgate.values;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.callgate.v1.Value;
import java.io.IOException;
import java.io.Reader;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.yaml.snakeyaml.Yaml;

/** tests/conformance/cases/values.yaml: what Python writes, read and written again. */
class GoldenValuesTest {
  private static final Path FILE = Path.of("..", "..", "tests", "conformance", "cases", "values.yaml");

  record Golden(String name, byte[] value, byte[] read) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Golden> goldens() throws IOException {
    List<Golden> made = new ArrayList<>();
    try (Reader reader = Files.newBufferedReader(FILE)) {
      Map<String, List<Map<String, Object>>> file = new Yaml().load(reader);
      for (Map<String, Object> golden : file.get("cases")) {
        byte[] value = HexFormat.of().parseHex((String) golden.get("value"));
        made.add(new Golden((String) golden.get("name"), value, value));
        Object also = golden.get("also");
        for (Object other : also == null ? List.of() : (List<?>) also) {
          made.add(new Golden(golden.get("name") + ", also", value, HexFormat.of().parseHex((String) other)));
        }
      }
    }
    return made.stream();
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void whatIsDecodedIsEncodedAsPythonWritesIt(Golden golden) throws IOException {
    Value again = Values.encode(Values.decode(golden.read));
    assertEquals(Value.parseFrom(golden.value), again);
    assertEquals(ByteString.copyFrom(golden.value), again.toByteString());
  }

  private static Object decoded(String name) throws IOException {
    Golden golden = goldens().filter(one -> one.name.equals(name)).findFirst().orElseThrow();
    return Values.decode(golden.read);
  }

  @Test
  void whatJavaHasATypeForArrivesAsThat() throws IOException {
    Map<String, Object> wanted = new LinkedHashMap<>();
    wanted.put("none", null);
    wanted.put("true", true);
    wanted.put("int minus one", -1L);
    wanted.put("int beyond 64 bits", BigInteger.TWO.pow(63));
    wanted.put("float integral", 2.0);
    wanted.put("float minus zero", -0.0);
    wanted.put("str with a lone surrogate", "\udcff");
    wanted.put("list mixed", Arrays.asList(1L, "a", null));
    wanted.put("list of floats", List.of(1.0, -0.0));
    wanted.put("tuple", Tuple.of(1L, 2L));
    wanted.put("set", Set.of(1L));
    wanted.put("frozenset", FrozenSet.of("a"));
    wanted.put("dict with str keys", Map.of("b", 1L, "a", List.of(1.5)));
    wanted.put("complex", new Complex(1.5, -2));
    wanted.put("decimal", new BigDecimal("1.50"));
    wanted.put("decimal minus zero with an exponent", new SpecialDecimal("-0E+3"));
    wanted.put("date", LocalDate.of(2024, 2, 29));
    wanted.put("time naive", LocalTime.MIDNIGHT);
    wanted.put("time aware", OffsetTime.of(23, 59, 59, 999_999_000, ZoneOffset.UTC));
    wanted.put("datetime naive", LocalDateTime.of(2024, 2, 29, 12, 30));
    wanted.put("datetime in UTC", LocalDateTime.of(2024, 2, 29, 12, 30).atOffset(ZoneOffset.UTC));
    wanted.put(
        "datetime at a named offset",
        new PythonDateTime(
            LocalDateTime.of(2024, 2, 29, 0, 0), false, new PythonZone(Duration.ofHours(-5), "", "EST")));
    wanted.put(
        "datetime in a zone, the second of two equal times",
        ZonedDateTime.of(2024, 10, 27, 2, 30, 0, 0, ZoneId.of("Europe/Paris")).withLaterOffsetAtOverlap());
    wanted.put("timedelta", Duration.ofSeconds(-1));
    wanted.put("uuid", UUID.fromString("12345678-1234-5678-1234-567812345678"));
    wanted.put("array", Tensor.of(new int[] {0, 1, 2, 3, 4, 5}, 2, 3));
    for (Map.Entry<String, Object> one : wanted.entrySet()) {
      assertEquals(one.getValue(), decoded(one.getKey()), one.getKey());
    }
  }

  @Test
  void aDictKeepsItsOrderAndARecordItsFields() throws IOException {
    assertEquals(List.of("b", "a"), List.copyOf(((Map<?, ?>) decoded("dict with str keys")).keySet()));
    PythonRecord quote = (PythonRecord) decoded("dataclass");
    assertEquals("golden:Quote", quote.typeName());
    assertEquals(PythonRecord.Form.DATACLASS, quote.form());
    assertEquals(1.5, quote.get("price"));
  }

  @Test
  void theFileIsReadInFull() throws IOException {
    assertTrue(goldens().count() > 60);
    assertNull(decoded("none"));
  }
}
