package dev.callgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Context;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Deadlines, cancellation, places and closing, against a real server. */
class WaitingTest {
  private static final String F = "conformance_functions";
  private static final String EVENTS = "conformance_events";

  private static Gate gate;

  @BeforeAll
  static void connect() {
    gate = CallgateServer.shared().connect();
  }

  @AfterAll
  static void close() {
    gate.close();
  }

  private static void awaitEvent(String event) {
    assertEquals(true, gate.call(EVENTS, "wait", event, 30.0), event);
  }

  @Test
  void aDeadlineEndsTheCallAndTheFunction() {
    Call call = Call.of(F, "until_cancelled").args("java deadline").timeout(Duration.ofSeconds(2));
    GateException error = assertThrows(GateException.class, () -> gate.call(call));
    assertEquals(Status.Code.DEADLINE_EXCEEDED, error.code());
    awaitEvent("java deadline cancelled");
  }

  @Test
  void aDeadlineThatHasPassedSendsNothing() {
    Call call = Call.of(F, "echo").args(1).timeout(Duration.ZERO);
    assertEquals("EXPIRED_IN_QUEUE", assertThrows(GateException.class, () -> gate.call(call)).reason());
    assertEquals(1L, gate.call(call.timeout(Duration.ofDays(1_000_000))), "no limit, and no overflow");
  }

  @Test
  void interruptingTheThreadCancelsItsCall() throws Exception {
    CompletableFuture<CallgateException> seen = new CompletableFuture<>();
    Thread caller =
        new Thread(
            () -> {
              try {
                gate.call(F, "until_cancelled", "java interrupt");
              } catch (CallgateException error) {
                seen.complete(Thread.currentThread().isInterrupted() ? error : null);
              }
            });
    caller.start();
    awaitEvent("java interrupt started");
    caller.interrupt();
    GateException error = assertInstanceOf(GateException.class, seen.get(30, TimeUnit.SECONDS));
    assertEquals(Status.Code.CANCELLED, error.code());
    awaitEvent("java interrupt cancelled");
    caller.join();
  }

  @Test
  void cancellingTheFutureOrTheContextCancelsTheCall() {
    CompletableFuture<Object> future = gate.callAsync(Call.of(F, "until_cancelled").args("java future"));
    awaitEvent("java future started");
    assertTrue(future.cancel(true));
    assertThrows(CancellationException.class, future::join);
    awaitEvent("java future cancelled");

    Context.CancellableContext context = Context.current().withCancellation();
    CompletableFuture<Object> inside = new CompletableFuture<>();
    context.run(() -> gate.callAsync(Call.of(F, "until_cancelled").args("java context")).whenComplete(
        (value, error) -> inside.completeExceptionally(error)));
    awaitEvent("java context started");
    context.cancel(null);
    ExecutionException error = assertThrows(ExecutionException.class, () -> inside.get(30, TimeUnit.SECONDS));
    assertEquals(Status.Code.CANCELLED, assertInstanceOf(GateException.class, error.getCause()).code());
    awaitEvent("java context cancelled");
  }

  @Test
  void whatIsNotWaitedForComesAllTheSame() {
    List<CompletableFuture<Object>> futures = new ArrayList<>();
    for (int i = 0; i < 1000; i++) { // ten times as many as there are places
      futures.add(gate.callAsync(Call.of(F, "echo").args(i)));
    }
    for (int i = 0; i < 1000; i++) {
      assertEquals((long) i, futures.get(i).join());
    }
    CompletableFuture<Object> failed = gate.callAsync(Call.of(F, "boom").args("x"));
    CompletionException error = assertThrows(CompletionException.class, failed::join);
    assertInstanceOf(PythonException.class, error.getCause());
  }

  @Test
  void callsWithoutAPlaceWaitInTheClientAndTheirDeadlinesCount() {
    try (Gate narrow = Gate.builder(CallgateServer.shared().target()).token("").inFlight(1).connect()) {
      CompletableFuture<Object> holder = narrow.callAsync(Call.of(F, "hold").args("java narrow", 1));
      awaitEvent("java narrow started");
      Call late = Call.of(F, "leave_trace").args("java late").timeout(Duration.ofMillis(50));
      GateException blocked = assertThrows(GateException.class, () -> narrow.call(late));
      assertEquals("EXPIRED_IN_QUEUE", blocked.reason());
      CompletionException async = assertThrows(CompletionException.class, () -> narrow.callAsync(late).join());
      assertEquals("EXPIRED_IN_QUEUE", assertInstanceOf(GateException.class, async.getCause()).reason());
      CompletableFuture<Object> dropped = narrow.callAsync(Call.of(F, "leave_trace").args("java dropped"));
      dropped.cancel(true);
      CompletableFuture<Object> next = narrow.callAsync(Call.of(F, "echo").args(2));
      gate.call(EVENTS, "signal", "java narrow");
      assertEquals(1L, holder.join());
      assertEquals(2L, next.join());
      assertEquals(3L, narrow.call(F, "echo", 3), "every place came back");
    }
    assertEquals(false, gate.call(EVENTS, "wait", "java late ran", 0.0));
    assertEquals(false, gate.call(EVENTS, "wait", "java dropped ran", 0.0));
  }

  @Test
  void closingCancelsWhatIsOnItsWay() {
    Gate closing = CallgateServer.shared().connect();
    CompletableFuture<Object> running = closing.callAsync(Call.of(F, "until_cancelled").args("java closing"));
    awaitEvent("java closing started");
    closing.close();
    CompletionException error = assertThrows(CompletionException.class, running::join);
    GateException failure = assertInstanceOf(GateException.class, error.getCause());
    assertEquals(Status.Code.CANCELLED, failure.code());
    assertTrue(failure.getMessage().contains("this Gate was closed"), failure.getMessage());
    awaitEvent("java closing cancelled");
    closing.close();
    assertThrows(IllegalStateException.class, () -> closing.call("math", "sqrt", 1));
    assertThrows(IllegalStateException.class, () -> closing.callAsync(Call.of("math", "sqrt").args(1)));
    assertThrows(IllegalStateException.class, () -> closing.stream(F, "count", 1));
    assertThrows(IllegalStateException.class, closing::functions);
  }
}
