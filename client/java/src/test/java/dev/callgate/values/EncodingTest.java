package dev.callgate.values;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.callgate.ValueFormException;
import dev.callgate.v1.Value;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What Java values become, and which have no form. */
class EncodingTest {
  private record Quote(String symbol, double price) {}

  private enum Colour {
    RED
  }

  private static Object roundTrip(Object value) {
    return Values.decode(Values.encode(value));
  }

  @Test
  void smallerNumbersAreIntsAndFloats() {
    assertEquals(Arrays.asList(1L, 2L, 3L, 4.5, 5L, null), roundTrip(Arrays.asList(1, (short) 2, (byte) 3, 4.5f, 5L, null)));
    assertEquals(7L, roundTrip(BigInteger.valueOf(7)), "an int is one, whatever held it");
  }

  @Test
  void listsOfOnePlainTypeArePackedWhateverListTheyAre() {
    assertTrue(Values.encode(new LinkedList<>(List.of(1, 2L, BigInteger.TEN))).hasIntList());
    assertTrue(Values.encode(List.of(1.0, 2.0f)).hasDoubleList());
    assertTrue(Values.encode(new String[] {"a"}).hasStringList());
    assertTrue(Values.encode(new boolean[] {true}).hasBoolList());
    assertTrue(Values.encode(new double[] {1}).hasDoubleList());
    assertTrue(Values.encode(new int[] {1}).hasIntList());
    assertTrue(Values.encode(new long[0]).hasListValue());
    assertTrue(Values.encode(List.of("a", "\ud800")).hasListValue(), "a lone surrogate is no string_value");
    assertTrue(Values.encode(List.of(1, BigInteger.TWO.pow(64))).hasListValue());
    assertEquals(List.of(List.of(1L), List.of(2L, 3L)), roundTrip(new int[][] {{1}, {2, 3}}));
  }

  @Test
  void stringsKeepTheirLoneSurrogates() {
    for (String text : List.of("\ud800", "a\udfff", "\udc00\ud800", "🐍\ud83d", "\ud83dx")) {
      Value encoded = Values.encode(text);
      assertTrue(encoded.hasSurrogateStringValue());
      assertEquals(text, Values.decode(encoded));
    }
    assertTrue(Values.encode("né 🐍").hasStringValue());
    // Python's '\ud83d\udc0d' is two characters; a String of them would be one, and another text.
    ByteString two = ByteString.fromHex("eda0bdedb08d");
    Object kept = Values.decode(Value.newBuilder().setSurrogateStringValue(two).build());
    assertEquals(new SurrogateText(two), kept);
    assertEquals(two, Values.encode(kept).getSurrogateStringValue());
  }

  @Test
  void mapsWithAKeyThatIsNoTextAreEntries() {
    Map<Object, Object> map = new LinkedHashMap<>();
    map.put("a", 1L);
    map.put(null, 2L);
    map.put("\ud800", 3L);
    assertTrue(Values.encode(map).hasMapValue());
    assertEquals(map, roundTrip(map));
    assertTrue(Values.encode(Map.of("a", 1)).hasStringMap());
  }

  @Test
  void recordsAndEnumConstantsAreRecords() {
    PythonRecord quote = (PythonRecord) roundTrip(new Quote("X", 1.5));
    assertEquals("dev.callgate.values:EncodingTest.Quote", quote.typeName());
    assertEquals(List.of("symbol", "price"), List.copyOf(quote.fields().keySet()));
    assertEquals(1.5, quote.get("price"));
    assertEquals("RED", ((PythonRecord) roundTrip(Colour.RED)).get("name"));
  }

  @Test
  void timesAreExactOrOfATypeThatIs() {
    ZoneId paris = ZoneId.of("Europe/Paris");
    LocalDateTime twice = LocalDateTime.of(2024, 10, 27, 2, 30);
    LocalDateTime never = LocalDateTime.of(2024, 3, 31, 2, 30);
    PythonZone zone = new PythonZone(Duration.ofHours(1), "Europe/Paris", "");
    for (Object value :
        List.of(
            LocalTime.of(1, 2, 3, 4000),
            OffsetTime.of(1, 2, 3, 0, ZoneOffset.ofHoursMinutes(-3, -30)),
            ZonedDateTime.ofLocal(twice, paris, ZoneOffset.ofHours(2)),
            ZonedDateTime.ofLocal(twice, paris, ZoneOffset.ofHours(1)),
            twice.atOffset(ZoneOffset.MIN),
            new PythonDateTime(never, false, zone),
            new PythonDateTime(twice, true, null),
            new PythonDateTime(twice, false, new PythonZone(Duration.ofHours(5), "Moon/Base", "")),
            new PythonDateTime(twice, false, new PythonZone(Duration.ofHours(20), "", "")),
            new PythonTime(LocalTime.NOON, true, null),
            new PythonTime(LocalTime.NOON, false, new PythonZone(null, "Europe/Paris", "")),
            Duration.ofDays(-999_999_999),
            LocalDate.of(9999, 12, 31))) {
      assertEquals(value, roundTrip(value));
    }
    Instant now = Instant.ofEpochSecond(1_700_000_000, 5_000);
    assertEquals(now.atOffset(ZoneOffset.UTC), roundTrip(now));
    assertEquals(twice.atOffset(ZoneOffset.UTC), roundTrip(twice.atZone(ZoneOffset.UTC)));
    assertEquals(
        Optional.of(twice.atOffset(ZoneOffset.ofHours(1))), new PythonDateTime(twice, true, zone).toOffsetDateTime());
  }

  @Test
  void decimalsKeepTheirDigits() {
    for (String text : List.of("1.50", "1E+3", "0E-10", "-123.456E-20")) {
      assertEquals(new BigDecimal(text), roundTrip(new BigDecimal(text)));
    }
    for (String text : List.of("NaN", "-sNaN12", "Infinity", "-0.00", "1E+99999999999")) {
      assertEquals(new SpecialDecimal(text), roundTrip(new SpecialDecimal(text)));
    }
    assertThrows(IllegalArgumentException.class, () -> new SpecialDecimal("1_000"));
  }

  @Test
  void tensorsAreViewsOfTheirBytes() {
    Tensor tensor = Tensor.of(new double[] {1, 2, 3, 4}, 2, 2);
    assertEquals(tensor, roundTrip(tensor));
    ByteBuffer buffer = ((Tensor) roundTrip(tensor)).buffer();
    assertEquals(3.0, buffer.asDoubleBuffer().get(2));
    assertEquals("float32", Tensor.of(new float[] {1}).dtype());
    assertEquals("int64", Tensor.of(new long[] {1}).dtype());
    assertThrows(IllegalArgumentException.class, () -> Tensor.of(new int[] {1, 2}, 3));
    assertThrows(IllegalArgumentException.class, () -> new Tensor("object", new long[0], ByteString.EMPTY, true));
  }

  static Stream<Object> formless() {
    return Stream.of(
        new Object(),
        'c',
        new char[] {'c'},
        new Date(),
        Optional.of(1),
        new ArrayDeque<>(List.of(1)),
        LocalTime.ofNanoOfDay(1),
        Duration.ofNanos(1),
        Duration.ofDays(1_000_000_000),
        LocalDate.of(10_000, 1, 1),
        new Throwable());
  }

  @ParameterizedTest
  @MethodSource("formless")
  void whatHasNoFormIsRefusedWithItsPlace(Object value) {
    Object inside = List.of(1, Map.of("model", value));
    ValueFormException error = assertThrows(ValueFormException.class, () -> Values.encode(inside, "args[0]"));
    assertEquals("args[0][1]['model']", error.path());
    assertTrue(error.getMessage().startsWith("args[0][1]['model']: "), error.getMessage());
  }

  @Test
  void aValueThatHoldsItselfIsRefusedWithBothPlaces() {
    Map<String, Object> inner = new HashMap<>();
    List<Object> outer = new ArrayList<>(List.of(inner));
    inner.put("self", outer);
    ValueFormException error = assertThrows(ValueFormException.class, () -> Values.encode(outer));
    assertEquals("value[0]['self']: the value holds itself: this is value again", error.getMessage());
  }

  @Test
  void aValueTooDeepIsRefused() {
    Object deep = 1;
    for (int i = 0; i < 101; i++) {
      deep = List.of(deep);
    }
    Object value = deep;
    ValueFormException error = assertThrows(ValueFormException.class, () -> Values.encode(value));
    assertTrue(error.problem().contains("100 levels"), error.problem());
  }
}
