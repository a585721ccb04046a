package dev.callgate;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Finds a server that was restarted within seconds: grpc-java's own back-off goes from 1 s to two minutes and has no setting,
 * but can be told to try now.
 */
final class Reconnector {
  private static final long FIRST_MILLIS = 100;
  private static final long MOST_MILLIS = 5_000;

  private final ManagedChannel channel;
  private long delayMillis = FIRST_MILLIS;
  private boolean scheduled;

  private Reconnector(ManagedChannel channel) {
    this.channel = channel;
  }

  static void watch(ManagedChannel channel) {
    new Reconnector(channel).look();
  }

  private synchronized void look() {
    ConnectivityState state = channel.getState(false);
    if (state == ConnectivityState.SHUTDOWN) {
      return;
    }
    if (state == ConnectivityState.READY) {
      delayMillis = FIRST_MILLIS;
    } else if (state == ConnectivityState.TRANSIENT_FAILURE) {
      schedule();
    }
    channel.notifyWhenStateChanged(state, this::look);
  }

  private void schedule() {
    if (!scheduled) {
      scheduled = true;
      CompletableFuture.delayedExecutor(delayMillis, TimeUnit.MILLISECONDS).execute(this::tryNow);
      delayMillis = Math.min(2 * delayMillis, MOST_MILLIS);
    }
  }

  private synchronized void tryNow() {
    scheduled = false;
    // The state stays as it is while the channel connects: it has to be looked at again.
    if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
      channel.resetConnectBackoff();
      schedule();
    }
  }
}
