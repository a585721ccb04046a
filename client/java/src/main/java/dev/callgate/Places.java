package dev.callgate;

import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;

/** How many calls a Gate has on their way at once; the next ones wait here, in the order in which they came. */
final class Places {
  private final ArrayDeque<CompletableFuture<Void>> waiting = new ArrayDeque<>();
  private int free;

  Places(int count) {
    free = count;
  }

  /** Takes a place; null if there was one, else what is completed with the place. */
  synchronized CompletableFuture<Void> take() {
    if (free > 0) {
      free--;
      return null;
    }
    CompletableFuture<Void> turn = new CompletableFuture<>();
    waiting.add(turn);
    return turn;
  }

  /** Gives a place back, to whom has waited longest. */
  void release() {
    CompletableFuture<Void> next;
    synchronized (this) {
      next = waiting.poll();
      if (next == null) {
        free++;
        return;
      }
    }
    next.complete(null);
  }

  /** Waits no longer; false if the place has come already, and has to be given back. */
  synchronized boolean leave(CompletableFuture<Void> turn) {
    return waiting.remove(turn);
  }
}
