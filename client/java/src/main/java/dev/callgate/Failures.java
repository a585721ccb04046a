package dev.callgate;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The one place where a failed RPC becomes an exception of this package. */
final class Failures {
  private static final String DOMAIN = "callgate";

  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
  private static final Metadata.Key<String> CALL_ID =
      Metadata.Key.of("callgate-call-id", Metadata.ASCII_STRING_MARSHALLER);

  /** How grpcio, and Callgate's native transport, refuse a request. */
  private static final Pattern REQUEST_REFUSED =
      Pattern.compile("[Rr]eceived message larger than max \\((\\d+) vs\\. (\\d+)\\)");

  /** How grpc-java refuses an answer. */
  private static final Pattern ANSWER_REFUSED = Pattern.compile("gRPC message exceeds maximum size (\\d+): (\\d+)");

  private Failures() {}

  /**
   * The exception for a failed RPC: from its rich status if it has one, else from its code.
   *
   * @param error what gRPC threw
   * @param connection what it came over
   */
  static CallgateException of(StatusRuntimeException error, Connection connection) {
    Metadata trailers = error.getTrailers();
    Status.Code code = error.getStatus().getCode();
    String callId = "";
    if (trailers != null) {
      String told = trailers.get(CALL_ID);
      callId = told == null ? "" : told;
      byte[] details = trailers.get(DETAILS);
      if (details != null) {
        try {
          com.google.rpc.Status status = com.google.rpc.Status.parseFrom(details);
          if (status.getCode() == code.value()) { // else a proxy on the way changed the answer: the code counts
            return of(status, callId);
          }
        } catch (InvalidProtocolBufferException notOurs) {
          // not from Callgate: the code has to do
        }
      }
    }
    // grpc-java says UNKNOWN of a call that was written to a connection just cut; a server's UNKNOWN has no cause here.
    boolean cut = code == Status.Code.UNKNOWN && error.getStatus().getCause() instanceof IOException;
    return withoutDetails(error, cut ? Status.Code.UNAVAILABLE : code, callId, connection);
  }

  private static GateException withoutDetails(
      StatusRuntimeException error, Status.Code code, String callId, Connection connection) {
    String text = error.getStatus().getDescription() == null ? code.name() : error.getStatus().getDescription();
    Matcher request = REQUEST_REFUSED.matcher(text);
    Matcher answer = ANSWER_REFUSED.matcher(text);
    switch (code) {
      case DEADLINE_EXCEEDED:
        text = "the deadline passed before an answer came";
        break;
      case UNAVAILABLE:
        text = connection.unreachable(text, error.getStatus().getCause());
        break;
      case RESOURCE_EXHAUSTED:
        if (request.find()) {
          return tooLarge(request.group(1), request.group(2), "the server takes");
        }
        if (answer.find()) {
          Map<String, String> sizes = Map.of("size", answer.group(2), "limit", answer.group(1), "unit", "bytes");
          text = "the answer is " + answer.group(2) + " bytes; this client takes at most " + answer.group(1);
          return new GateException(code, "RESPONSE_TOO_LARGE", text, sizes, null, callId, null);
        }
        break;
      default:
        break;
    }
    return new GateException(code, "", text, Map.of(), null, callId, error);
  }

  /**
   * The exception for a call's status, as it stands in trailers or in a batch's result.
   *
   * @param status what the server sent
   * @param callId the call's id, if the metadata had one
   */
  static CallgateException of(com.google.rpc.Status status, String callId) {
    ErrorInfo info = ErrorInfo.getDefaultInstance();
    dev.callgate.v1.PythonException raised = null;
    Duration retryAfter = null;
    List<Any> details = new ArrayList<>();
    for (Any detail : status.getDetailsList()) {
      try {
        if (detail.is(dev.callgate.v1.PythonException.class)) {
          raised = detail.unpack(dev.callgate.v1.PythonException.class);
        } else if (detail.is(ErrorInfo.class)) {
          ErrorInfo found = detail.unpack(ErrorInfo.class);
          info = found.getDomain().equals(DOMAIN) ? found : info;
        } else {
          details.add(detail);
          if (detail.is(RetryInfo.class)) {
            com.google.protobuf.Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
            retryAfter = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
          }
        }
      } catch (InvalidProtocolBufferException notWhatItSays) {
        // a detail that is not what it says is none
      }
    }
    Status.Code code = Status.fromCodeValue(status.getCode()).getCode();
    Map<String, String> metadata = info.getMetadataMap();
    String id = callId.isEmpty() ? metadata.getOrDefault("call_id", "") : callId;
    if (raised != null) {
      return PythonException.of(
          raised, new PythonException.Told(code, info.getReason(), Map.copyOf(metadata), id, List.copyOf(details)));
    }
    String message = status.getMessage().isEmpty() ? code.name() : status.getMessage();
    return new GateException(code, info.getReason(), message, metadata, retryAfter, id, null);
  }

  /** A request that is larger than somebody takes. */
  static GateException tooLarge(Object size, Object limit, String whoTakes) {
    Map<String, String> sizes = Map.of("size", size.toString(), "limit", limit.toString(), "unit", "bytes");
    String text = "the request is " + size + " bytes; " + whoTakes + " at most " + limit;
    return new GateException(Status.Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", text, sizes, null, "", null);
  }

  /** A call whose deadline passed before one of the Gate's places was free. */
  static GateException noPlace(int inFlight) {
    return expired(
        "the deadline passed while the call waited in this client, which has "
            + inFlight
            + " on their way at once (inFlight); it never started");
  }

  /** A call with no time left: gRPC would send it, and the function might run. */
  static GateException noTime() {
    return expired("the deadline passed before the call left this client; it never started");
  }

  private static GateException expired(String text) {
    return new GateException(Status.Code.DEADLINE_EXCEEDED, "EXPIRED_IN_QUEUE", text);
  }

  /** A call that its own thread's interruption ended before it was sent. */
  static GateException interrupted() {
    return new GateException(
        Status.Code.CANCELLED, "", "the thread was interrupted while the call waited in this client; it never started");
  }

  /** A call that this side ended. */
  static GateException cancelledMidway(String why) {
    return new GateException(
        Status.Code.CANCELLED, "", why + " while the call was on its way; the function may have run");
  }

  /** A call that the server left without an answer. */
  static GateException noAnswer() {
    return new GateException(Status.Code.INTERNAL, "", "the server ended the batch without an answer to this call");
  }

  /** What answers there is no Callgate server, or has a fault. */
  static GateException badAnswer(String text) {
    return new GateException(Status.Code.INTERNAL, "", text);
  }
}
