package dev.callgate;

/** How a call of a batch ended. */
public sealed interface Outcome {
  /**
   * The value.
   *
   * @return what the function returned
   * @throws CallgateException if the call failed
   */
  Object get();

  /**
   * The call returned.
   *
   * @param value what the function returned
   */
  record Returned(Object value) implements Outcome {
    @Override
    public Object get() {
      return value;
    }
  }

  /**
   * The call failed.
   *
   * @param error how
   */
  record Failed(CallgateException error) implements Outcome {
    @Override
    public Object get() {
      throw error;
    }
  }
}
