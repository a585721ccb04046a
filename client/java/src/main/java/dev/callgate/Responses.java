package dev.callgate;

import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import java.lang.ref.Cleaner;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The responses of a streaming RPC, one by one; closing it cancels the RPC. gRPC reads one response ahead, and so the server
 * makes only a few more than are read.
 *
 * @param <M> the message
 * @param <T> what is read from it
 */
final class Responses<M, T> implements CloseableIterator<T> {
  /** Ends streams that nobody refers to any more: the server would keep their generators for as long as the connection. */
  private static final Cleaner CLEANER = Cleaner.create();

  private final Iterator<M> messages;
  private final Function<M, T> read;
  private final Function<StatusRuntimeException, CallgateException> failure;
  private final Cleaner.Cleanable end;
  private volatile boolean ended;

  /**
   * Starts the RPC.
   *
   * @param open what starts it; called in a context whose end cancels the RPC
   * @param read what is wanted of a message
   * @param failure the exception for a failed RPC
   */
  Responses(
      Supplier<Iterator<M>> open, Function<M, T> read, Function<StatusRuntimeException, CallgateException> failure) {
    this.read = read;
    this.failure = failure;
    Context.CancellableContext context = Context.current().withCancellation();
    Context before = context.attach();
    try {
      messages = open.get();
    } finally {
      context.detach(before);
    }
    end = CLEANER.register(this, () -> context.cancel(null));
  }

  @Override
  public boolean hasNext() {
    if (ended) {
      return false;
    }
    try {
      if (messages.hasNext()) {
        return true;
      }
      close();
      return false;
    } catch (StatusRuntimeException error) {
      if (ended) { // closed by another thread
        return false;
      }
      close();
      throw failure.apply(error);
    }
  }

  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    try {
      return read.apply(messages.next());
    } catch (CallgateException error) { // one that cannot be decoded: what follows would be taken for it
      close();
      throw error;
    } catch (StatusRuntimeException error) { // closed since hasNext()
      close();
      throw failure.apply(error);
    }
  }

  @Override
  public void close() {
    ended = true;
    end.clean();
  }
}
