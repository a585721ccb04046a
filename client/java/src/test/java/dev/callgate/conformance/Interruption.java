package dev.callgate.conformance;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Interrupts the thread that made it after some time, unless it is closed before: how a waiting call is cancelled. */
final class Interruption implements AutoCloseable {
  private final Thread thread = Thread.currentThread();
  private boolean over;

  /** Sets the time; null for never. */
  void after(Duration after) {
    if (after != null) {
      CompletableFuture.delayedExecutor(after.toNanos(), TimeUnit.NANOSECONDS).execute(this::interrupt);
    }
  }

  private synchronized void interrupt() {
    if (!over) {
      thread.interrupt();
    }
  }

  @Override
  public synchronized void close() {
    over = true;
    Thread.interrupted(); // what came too late is not the next request's
  }
}
