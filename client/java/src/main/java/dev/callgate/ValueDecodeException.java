package dev.callgate;

/** A Value on the wire is not a value that Python could hold, or goes beyond a limit. */
public final class ValueDecodeException extends CallgateException {
  private static final long serialVersionUID = 1L;

  private final String path;
  private final String problem;

  /**
   * Makes one.
   *
   * @param path where the value stands: {@code result[3]['model']}
   * @param problem what is wrong with it
   */
  public ValueDecodeException(String path, String problem) {
    super(path.isEmpty() ? problem : path + ": " + problem, null);
    this.path = path;
    this.problem = problem;
  }

  /**
   * Where the value stands.
   *
   * @return the path: {@code result[3]['model']}
   */
  public String path() {
    return path;
  }

  /**
   * What is wrong with it.
   *
   * @return the message without the path
   */
  public String problem() {
    return problem;
  }
}
