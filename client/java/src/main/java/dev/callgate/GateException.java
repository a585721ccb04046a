package dev.callgate;

import io.grpc.Status;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * Getting to the function failed. Branch on {@link #reason}, never on text; unless the reason says otherwise (docs/errors.md),
 * the function did not run.
 */
public final class GateException extends CallgateException {
  private static final long serialVersionUID = 1L;

  private final Status.Code code;
  private final String reason;
  private final String problem;
  private final transient Map<String, String> metadata;
  private final Duration retryAfter;
  private final String callId;

  GateException(
      Status.Code code,
      String reason,
      String problem,
      Map<String, String> metadata,
      Duration retryAfter,
      String callId,
      Throwable cause) {
    super(problem + " [" + (reason.isEmpty() ? code.name() : reason) + "]", cause);
    this.code = code;
    this.reason = reason;
    this.problem = problem;
    this.metadata = Map.copyOf(metadata);
    this.retryAfter = retryAfter;
    this.callId = callId;
  }

  GateException(Status.Code code, String reason, String problem) {
    this(code, reason, problem, Map.of(), null, "", null);
  }

  /**
   * The canonical code.
   *
   * @return gRPC's enum of them
   */
  public Status.Code code() {
    return code;
  }

  /**
   * Why: a name of {@link dev.callgate.v1.ErrorReason} without its prefix.
   *
   * @return "FUNCTION_NOT_FOUND"; empty if the failure did not come from a Callgate server (a refused connection)
   */
  public String reason() {
    return reason;
  }

  /**
   * What happened.
   *
   * @return the server's sentence; {@link #getMessage} adds the reason
   */
  public String problem() {
    return problem;
  }

  /**
   * More about the reason, by name.
   *
   * @return the metadata of the ErrorInfo
   */
  public Map<String, String> metadata() {
    return metadata == null ? Map.of() : metadata; // null after Java's own serialization
  }

  /**
   * After how long a retry is welcome.
   *
   * @return empty if the server said nothing of the kind
   */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }

  /**
   * The id under which the server logged the call.
   *
   * @return the id; empty if there is none
   */
  public String callId() {
    return callId;
  }
}
