package dev.callgate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.callgate.conformance.Load;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** No caller gets another's answer. */
class ConcurrencyTest {
  private static final int CALLERS = 64;
  private static final int CALLS = 1000;

  @Test
  @Timeout(300)
  void everyCallerGetsItsOwnAnswers() {
    try (Gate gate = CallgateServer.shared().connect()) {
      Load.Seen seen = Load.mixed(gate, CALLERS, CALLS, "conformance_functions");
      assertEquals(List.of(), seen.wrong());
      assertEquals(CALLERS * CALLS, seen.made());
    }
  }
}
