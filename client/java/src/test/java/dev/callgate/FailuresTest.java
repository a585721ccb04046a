package dev.callgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.callgate.v1.TracebackFrame;
import dev.callgate.values.Values;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.ConnectException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a failed RPC becomes, from the bytes in its trailers. */
class FailuresTest {
  private static final Connection CONNECTION = new Connection(Gate.builder("localhost:1").token(""));

  private static final Any INFO =
      Any.pack(
          ErrorInfo.newBuilder().setDomain("callgate").setReason("FUNCTION_RAISED").putMetadata("call_id", "7").build());

  private static CallgateException failure(Status status, com.google.rpc.Status rich) {
    Metadata trailers = new Metadata();
    trailers.put(Metadata.Key.of("callgate-call-id", Metadata.ASCII_STRING_MARSHALLER), "c1");
    trailers.put(
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER), rich.toByteArray());
    return Failures.of(new StatusRuntimeException(status, trailers), CONNECTION);
  }

  private static PythonException raised(dev.callgate.v1.PythonException exception) {
    com.google.rpc.Status rich =
        com.google.rpc.Status.newBuilder().setCode(2).addDetails(INFO).addDetails(Any.pack(exception)).build();
    return assertInstanceOf(PythonException.class, failure(Status.UNKNOWN, rich));
  }

  private static dev.callgate.v1.PythonException.Builder exception(String type, String message) {
    return dev.callgate.v1.PythonException.newBuilder().setModule("builtins").setType(type).setMessage(message);
  }

  @Test
  void aFunctionThatRaisedIsAPythonExceptionWithAllThatItHas() {
    PythonException error =
        raised(
            exception("KeyError", "'x'")
                .addArgs(Values.encode("x"))
                .addNotes("look again")
                .addBuiltinBases("LookupError")
                .putAttributes("errno", Values.encode(2))
                .putAttributes("newer", dev.callgate.v1.Value.getDefaultInstance())
                .setTruncated(true)
                .build());
    assertEquals("KeyError: 'x'\nlook again", error.getMessage());
    assertEquals(List.of("x"), error.args());
    assertEquals(Map.of("errno", 2L), error.attributes());
    assertTrue(error.isA("KeyError") && error.isA("LookupError") && !error.isA("ValueError"));
    assertTrue(error.truncated());
    assertEquals(Status.Code.UNKNOWN, error.code());
    assertEquals("FUNCTION_RAISED", error.reason());
    assertEquals("c1", error.callId());
  }

  @Test
  void theRemoteTracebackIsInTheStackTraceThatJavaPrints() {
    TracebackFrame outer = TracebackFrame.newBuilder().setFile("a.py").setLine(1).setFunction("outer").build();
    TracebackFrame inner =
        TracebackFrame.newBuilder().setFile("b.py").setLine(2).setFunction("C.inner").setSource("1 / 0").build();
    PythonException error = raised(exception("E", "m").addFrames(outer).addFrames(inner).build());
    StringWriter printed = new StringWriter();
    error.printStackTrace(new PrintWriter(printed));
    String text = printed.toString();
    int first = text.indexOf("at <python>.C.inner(b.py:2)");
    int second = text.indexOf("at <python>.outer(a.py:1)");
    int own = text.indexOf("FailuresTest.theRemoteTraceback");
    assertTrue(0 < first && first < second && second < own, text);
    assertEquals(
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in outer\n"
            + "  File \"b.py\", line 2, in C.inner\n    1 / 0\nE: m",
        error.traceback());
    assertEquals("outer", error.frames().get(0).function());
  }

  @Test
  void theCauseIsWhatPythonWouldShow() {
    dev.callgate.v1.PythonException cause = exception("A", "").build();
    dev.callgate.v1.PythonException context = exception("B", "").build();
    PythonException both = raised(exception("C", "").setCause(cause).setContext(context).build());
    assertSame(both.pythonCause(), both.getCause());
    assertEquals("B", both.pythonContext().type());
    PythonException during = raised(exception("C", "").setContext(context).build());
    assertSame(during.pythonContext(), during.getCause());
    PythonException fromNone = raised(exception("C", "").setContext(context).setSuppressContext(true).build());
    assertNull(fromNone.getCause());
    assertEquals("B", fromNone.pythonContext().type());
    PythonException group = raised(exception("ExceptionGroup", "g").addExceptions(cause).addExceptions(context).build());
    assertEquals(2, group.exceptions().size());
    assertSame(group.exceptions().get(1), group.getSuppressed()[1]);
  }

  @Test
  void gettingThereIsAGateExceptionWithReasonAndDelay() {
    ErrorInfo info = ErrorInfo.newBuilder().setDomain("callgate").setReason("OVERLOADED").putMetadata("a", "b").build();
    RetryInfo retry =
        RetryInfo.newBuilder()
            .setRetryDelay(com.google.protobuf.Duration.newBuilder().setSeconds(1).setNanos(500_000_000))
            .build();
    com.google.rpc.Status rich =
        com.google.rpc.Status.newBuilder()
            .setCode(8)
            .setMessage("busy")
            .addDetails(Any.pack(info))
            .addDetails(Any.pack(retry))
            .build();
    GateException error = assertInstanceOf(GateException.class, failure(Status.RESOURCE_EXHAUSTED, rich));
    assertEquals("OVERLOADED", error.reason());
    assertEquals("busy", error.problem());
    assertEquals("busy [OVERLOADED]", error.getMessage());
    assertEquals(Map.of("a", "b"), error.metadata());
    assertEquals(Optional.of(Duration.ofMillis(1500)), error.retryAfter());
  }

  @Test
  void detailsThatAreNotOursLeaveTheCode() {
    ErrorInfo foreign = ErrorInfo.newBuilder().setDomain("elsewhere").setReason("X").build();
    com.google.rpc.Status rich = com.google.rpc.Status.newBuilder().setCode(14).addDetails(Any.pack(foreign)).build();
    GateException error = assertInstanceOf(GateException.class, failure(Status.UNAVAILABLE, rich));
    assertEquals("", error.reason());
    // A proxy that changed the answer's code, and a detail that is not what it says.
    Any broken =
        Any.newBuilder()
            .setTypeUrl("type.googleapis.com/callgate.v1.PythonException")
            .setValue(ByteString.fromHex("ff"))
            .build();
    com.google.rpc.Status other = com.google.rpc.Status.newBuilder().setCode(2).addDetails(broken).build();
    assertEquals(
        Status.Code.PERMISSION_DENIED,
        assertInstanceOf(GateException.class, failure(Status.PERMISSION_DENIED, other)).code());
    assertInstanceOf(GateException.class, failure(Status.UNKNOWN, other));
  }

  @Test
  void whatGrpcItselfSaysHasNoReason() {
    Status refused = Status.UNAVAILABLE.withDescription("io exception").withCause(new ConnectException("Connection refused"));
    GateException error =
        assertInstanceOf(GateException.class, Failures.of(new StatusRuntimeException(refused), CONNECTION));
    assertEquals("", error.reason());
    assertTrue(error.getMessage().contains("nothing listens there"), error.getMessage());
    Status cut = Status.UNKNOWN.withDescription("channel closed").withCause(new ClosedChannelException());
    GateException lost = assertInstanceOf(GateException.class, Failures.of(new StatusRuntimeException(cut), CONNECTION));
    assertEquals(Status.Code.UNAVAILABLE, lost.code());
    Status large = Status.RESOURCE_EXHAUSTED.withDescription("Received message larger than max (200 vs. 100)");
    GateException tooLarge =
        assertInstanceOf(GateException.class, Failures.of(new StatusRuntimeException(large), CONNECTION));
    assertEquals("REQUEST_TOO_LARGE", tooLarge.reason());
    assertEquals("100", tooLarge.metadata().get("limit"));
    assertFalse(tooLarge.retryAfter().isPresent());
  }
}
