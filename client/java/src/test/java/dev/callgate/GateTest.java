package dev.callgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.callgate.v1.FunctionKind;
import dev.callgate.values.PythonRecord;
import dev.callgate.values.Tuple;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Calls, streams, batches and descriptions, against a real server. */
class GateTest {
  private static final String F = "conformance_functions";

  private static Gate gate;

  @BeforeAll
  static void connect() {
    gate = CallgateServer.shared().connect();
  }

  @AfterAll
  static void close() {
    gate.close();
  }

  private record Line(String name, int quantity) {}

  @Test
  void argumentsArriveAsTheyWereGiven() {
    assertEquals(4.0, gate.call("math", "sqrt", 16));
    assertEquals(5L, gate.call(Call.of(F, "add").args(2).kwarg("right", 3)));
    assertEquals(7L, gate.call(Call.of(F, "keyworded").kwargs(Map.of("timeout", 7))));
    assertEquals(null, gate.call(F, "echo", (Object[]) null), "a bare null is one argument");
    assertEquals(Arrays.asList(1L, null), gate.call(F, "echo", Arrays.asList(1, null)));
    assertEquals(Tuple.of(1L, "x"), gate.call(F, "echo", Tuple.of(1, "x")));
    assertEquals(List.of(1.5), gate.call(F, "echo", (Object) new double[] {1.5}));
    assertEquals("n", ((PythonRecord) gate.call(F, "echo", new Line("n", 1))).get("name"));
    assertEquals(20.0, gate.call(Call.of(F, "größe").kwarg("länge", 10.0)));
    assertEquals(List.of(1L, 2L), gate.call(Call.of(F, "echo").args(List.of(1, 2))), "a list is one argument");
    assertEquals(3L, gate.call(Call.of(F, "add").argList(List.of(1, 2))));
  }

  @Test
  void badArgumentsAreRefusedBeforeAnythingIsSent() {
    ValueFormException error =
        assertThrows(ValueFormException.class, () -> gate.call(F, "echo", 1, List.of(new Object())));
    assertEquals("args[1][0]", error.path());
    Call named = Call.of(F, "echo").kwarg("value", Map.of("k", 'c'));
    assertEquals("kwargs['value']['k']", assertThrows(ValueFormException.class, () -> gate.call(named)).path());
    Call of = Call.of(F, "echo");
    assertThrows(IllegalArgumentException.class, () -> Call.of("\ud800", "echo"));
    assertThrows(IllegalArgumentException.class, () -> of.kwarg("\ud800", 1));
    assertThrows(IllegalArgumentException.class, () -> of.timeout(Duration.ofNanos(-1)));
    try (Gate small = Gate.builder(CallgateServer.shared().target()).token("").maxMessage(1000).connect()) {
      GateException large = assertThrows(GateException.class, () -> small.call(F, "echo", new byte[1000]));
      assertEquals("REQUEST_TOO_LARGE", large.reason());
      GateException answer = assertThrows(GateException.class, () -> small.call(F, "sized", 5000));
      assertEquals("RESPONSE_TOO_LARGE", answer.reason());
    }
  }

  @Test
  void whatTheFunctionRaisesIsAPythonException() {
    PythonException error = assertThrows(PythonException.class, () -> gate.call(F, "refuse_order", 7));
    assertEquals("OrderRefused", error.type());
    assertEquals(F, error.module());
    assertEquals(List.of("no such order", 7L), error.args());
    assertTrue(error.isA("LookupError"));
    assertEquals("KeyError", assertInstanceOf(PythonException.class, error.getCause()).type());
    assertEquals("<python>", error.getStackTrace()[0].getClassName());
    assertEquals("refuse_order", error.getStackTrace()[0].getMethodName());
    assertFalse(error.callId().isEmpty());
  }

  @Test
  void aFunctionThatIsNotThereIsAGateException() {
    GateException error = assertThrows(GateException.class, () -> gate.call("math", "sqrtt", 1));
    assertEquals(Status.Code.NOT_FOUND, error.code());
    assertEquals("FUNCTION_NOT_FOUND", error.reason());
    assertTrue(error.metadata().get("suggestions").contains("sqrt"));
  }

  @Test
  void itemsComeAsTheyAreMadeAndClosingClosesTheGenerator() {
    try (CloseableIterator<Object> items = gate.stream(F, "endless", "java endless")) {
      for (long wanted = 0; wanted < 5; wanted++) {
        assertEquals(wanted, items.next());
      }
    }
    assertEquals(true, gate.call("conformance_events", "wait", "java endless closed", 30.0));
  }

  @Test
  void aStreamEndsOnceAndForAll() {
    List<Object> got = new ArrayList<>();
    CloseableIterator<Object> items = gate.stream(F, "count_then_fail", 3);
    PythonException error = assertThrows(PythonException.class, () -> items.forEachRemaining(got::add));
    assertEquals("LookupError", error.type());
    assertEquals(List.of(0L, 1L, 2L), got);
    assertFalse(items.hasNext());
    items.close();
    CloseableIterator<Object> closed = gate.stream(F, "endless", "java closed");
    closed.close();
    assertFalse(closed.hasNext());
    assertThrows(java.util.NoSuchElementException.class, closed::next);
  }

  @Test
  void aBatchTellsHowEachOfItsCallsEnded() {
    List<Call> calls = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      calls.add(i == 250 ? Call.of("math", "sqrt").args(-1) : Call.of(F, "echo").args(i));
    }
    List<Outcome> outcomes = gate.batch(calls);
    assertEquals(500, outcomes.size());
    for (int i = 0; i < 500; i++) {
      if (i != 250) {
        assertEquals((long) i, outcomes.get(i).get());
      }
    }
    assertThrows(PythonException.class, () -> outcomes.get(250).get());
    assertEquals(List.of(), gate.batch(List.of()));
    List<Call> bad = List.of(Call.of(F, "nothing"), Call.of(F, "echo").args('c'));
    assertEquals("calls[1].args[0]", assertThrows(ValueFormException.class, () -> gate.batch(bad)).path());
    List<Call> timed = List.of(Call.of(F, "nothing").timeout(Duration.ofSeconds(1)));
    assertThrows(IllegalArgumentException.class, () -> gate.batch(timed));
  }

  @Test
  void functionsAreListedAndDescribed() {
    List<FunctionInfo> functions = gate.functions("examples.countdown");
    assertTrue(functions.stream().anyMatch(f -> f.function().equals("down") && f.kind() == FunctionKind.FUNCTION_KIND_GENERATOR));
    FunctionInfo add = gate.function(F, "add");
    assertEquals("(left: int, right: int = 1) -> int", add.signature());
    assertEquals("1", add.parameters().get(1).defaultRepr());
    assertEquals("FUNCTION_NOT_FOUND", assertThrows(GateException.class, () -> gate.function(F, "_x")).reason());
    assertTrue(gate.functions().size() > functions.size());
  }
}
