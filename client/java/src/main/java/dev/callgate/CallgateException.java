package dev.callgate;

/**
 * What a call ends with when it does not return: {@link PythonException} if the function raised, {@link GateException}
 * if getting to it failed, {@link ValueFormException} or {@link ValueDecodeException} if a value could not be converted.
 */
public abstract sealed class CallgateException extends RuntimeException
    permits GateException, PythonException, ValueFormException, ValueDecodeException {
  private static final long serialVersionUID = 1L;

  CallgateException(String message, Throwable cause) {
    super(message, cause);
  }
}
