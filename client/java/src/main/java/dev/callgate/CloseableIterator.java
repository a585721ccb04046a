package dev.callgate;

import java.util.Iterator;

/**
 * What comes one by one and can be ended early: close it, best by try-with-resources. For one thread at a time, except {@link
 * #close}. It can be iterated over once.
 *
 * @param <T> what comes
 */
public interface CloseableIterator<T> extends Iterator<T>, Iterable<T>, AutoCloseable {
  /** Ends it, if it has not ended; iterating then ends. Closing again does nothing. */
  @Override
  void close();

  /**
   * Itself, for {@code for} loops.
   *
   * @return this
   */
  @Override
  default Iterator<T> iterator() {
    return this;
  }
}
