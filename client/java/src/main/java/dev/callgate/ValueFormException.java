package dev.callgate;

/** A Java value has no Value form; thrown before anything is sent. */
public final class ValueFormException extends CallgateException {
  private static final long serialVersionUID = 1L;

  private final String path;
  private final String problem;

  /**
   * Makes one.
   *
   * @param path where the value stands: {@code args[0]['model']}
   * @param problem what is wrong with it
   */
  public ValueFormException(String path, String problem) {
    super(path.isEmpty() ? problem : path + ": " + problem, null);
    this.path = path;
    this.problem = problem;
  }

  /**
   * Where the value stands.
   *
   * @return the path: {@code args[0]['model']}
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
