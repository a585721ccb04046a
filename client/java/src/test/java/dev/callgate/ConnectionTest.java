package dev.callgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What connecting refuses, and what happens where there is no server, or none any more. */
class ConnectionTest {
  @ParameterizedTest
  @ValueSource(strings = {"localhost", "localhost:", "localhost:0", "localhost:65536", "http://localhost:1", "a b:1", ":1", ""})
  void whatIsNoTargetIsRefused(String target) {
    IllegalArgumentException error = assertThrows(IllegalArgumentException.class, () -> Gate.connect(target));
    assertTrue(error.getMessage().contains("is no target: "), error.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"localhost:1", "[::1]:65535", "127.0.0.1:50051", "dns:///localhost:1", "unix:/tmp/callgate.sock"})
  void whatIsATargetIsTaken(String target) {
    Gate.builder(target).token("").connect().close();
  }

  @Test
  void whatContradictsItselfIsRefused(@TempDir Path folder) throws IOException {
    Path text = Files.writeString(folder.resolve("no.pem"), "no PEM");
    Path sec1 = Files.writeString(folder.resolve("sec1.pem"), "-----BEGIN EC PRIVATE KEY-----\n");
    GateBuilder builder = Gate.builder("localhost:1").token("");
    assertThrows(IllegalArgumentException.class, () -> builder.token("two words").connect());
    builder.token("");
    assertThrows(IllegalArgumentException.class, () -> builder.serverName("x").connect());
    assertThrows(IllegalArgumentException.class, () -> builder.ca(text).connect());
    assertThrows(IllegalArgumentException.class, () -> builder.ca(folder.resolve("missing.pem")).connect());
    IllegalArgumentException error =
        assertThrows(IllegalArgumentException.class, () -> builder.ca(null).certificate(sec1, sec1).connect());
    assertTrue(error.getMessage().contains("PKCS#8"), error.getMessage());
    assertThrows(IllegalArgumentException.class, () -> builder.tls(false).connect());
    assertThrows(IllegalArgumentException.class, () -> builder.inFlight(0));
    assertThrows(IllegalArgumentException.class, () -> builder.maxMessage(0));
    assertThrows(IllegalArgumentException.class, () -> builder.timeout(Duration.ofMillis(-1)));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  @Test
  void withoutAServerTheErrorSaysWhatToDo() throws IOException {
    try (Gate gate = Gate.builder("127.0.0.1:" + freePort()).token("").connect()) {
      GateException error = assertThrows(GateException.class, () -> gate.call("math", "sqrt", 1));
      assertEquals(Status.Code.UNAVAILABLE, error.code());
      assertEquals("", error.reason());
      assertTrue(error.getMessage().contains("is the server running"), error.getMessage());
    }
  }

  @Test
  void tlsToAServerWithoutItSaysSo() {
    try (Gate gate = Gate.builder(CallgateServer.shared().target()).token("").tls(true).connect()) {
      GateException error = assertThrows(GateException.class, () -> gate.call("math", "sqrt", 1));
      assertTrue(error.getMessage().contains("does not speak TLS"), error.getMessage());
    }
  }

  @Test
  void aServerThatWasRestartedIsFoundAgain() throws Exception {
    CallgateServer first = CallgateServer.start();
    try (Gate gate = first.connect()) {
      assertEquals(4.0, gate.call("math", "sqrt", 16.0));
      first.close();
      GateException gone = assertThrows(GateException.class, () -> gate.call("math", "sqrt", 16.0));
      assertEquals(Status.Code.UNAVAILABLE, gone.code());
      try (CallgateServer second = CallgateServer.at(first.target())) {
        ManagedChannel channel = (ManagedChannel) gate.channel();
        CountDownLatch ready = new CountDownLatch(1);
        awaitReady(channel, ready);
        // gRPC's own back-off would be at 1 s, and soon at ten: ours is at most 5 s.
        assertTrue(ready.await(10, TimeUnit.SECONDS), "it connects again by itself");
        assertEquals(4.0, gate.call("math", "sqrt", 16.0));
        assertFalse(second.target().isEmpty());
      }
    } finally {
      first.close();
    }
  }

  @Test
  void aServerThatIsGoneIsTriedAgainSoonerThanGrpcWould() throws Exception {
    CountDownLatch attempts = new CountDownLatch(6);
    try (ServerSocket door = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
        Gate gate = Gate.builder("127.0.0.1:" + door.getLocalPort()).token("").connect()) {
      new Thread(() -> turnAway(door, attempts)).start(); // ends with the door
      assertThrows(GateException.class, () -> gate.call("math", "sqrt", 1));
      // After 0.1, 0.2, 0.4, 0.8 and 1.6 s; gRPC's own back-off needs at least 12 s for as many.
      assertTrue(attempts.await(10, TimeUnit.SECONDS), attempts::toString);
    }
  }

  private static void turnAway(ServerSocket door, CountDownLatch attempts) {
    try {
      while (true) {
        door.accept().close();
        attempts.countDown();
      }
    } catch (IOException closed) {
      // the test is over
    }
  }

  private static void awaitReady(ManagedChannel channel, CountDownLatch ready) {
    ConnectivityState state = channel.getState(true);
    if (state == ConnectivityState.READY) {
      ready.countDown();
    } else {
      channel.notifyWhenStateChanged(state, () -> awaitReady(channel, ready));
    }
  }
}
