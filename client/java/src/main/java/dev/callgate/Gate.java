package dev.callgate;

import com.google.protobuf.MessageLite;
import dev.callgate.v1.BatchCallFunctionsRequest;
import dev.callgate.v1.BatchCallFunctionsResponse;
import dev.callgate.v1.BatchResult;
import dev.callgate.v1.CallFunctionRequest;
import dev.callgate.v1.CallFunctionResponse;
import dev.callgate.v1.FunctionServiceGrpc;
import dev.callgate.v1.GetFunctionRequest;
import dev.callgate.v1.ListFunctionsRequest;
import dev.callgate.v1.ListFunctionsResponse;
import dev.callgate.v1.StreamFunctionResponse;
import dev.callgate.values.Values;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A connection to a Callgate server. All methods may be called from any thread.
 *
 * <pre>{@code
 * try (Gate gate = Gate.connect("localhost:50051")) {
 *   double root = (double) gate.call("math", "sqrt", 16.0);
 * }
 * }</pre>
 *
 * <p>Every method that calls throws a {@link PythonException} if the function raised, a {@link GateException} if getting to
 * it failed, and a {@link ValueFormException} if an argument has no Value form. No call of a function is repeated by itself:
 * nobody knows whether it ran. Interrupting a thread that waits for a call cancels the call; so does cancelling the {@link
 * Context} it was made in.
 */
public final class Gate implements AutoCloseable {
  /** Timeouts from here on are none: gRPC counts in 64-bit nanoseconds. */
  private static final Duration FOREVER = Duration.ofDays(100 * 365);

  private static final long CLOSE_SECONDS = 5; // arbitrary: long beside what it takes to tell the calls on their way

  private final Connection connection;
  private final ManagedChannel channel;
  private final Places places;
  private final int inFlight;
  private final int maxMessage;
  private final Duration timeout;
  private volatile boolean closed;

  Gate(GateBuilder told) {
    connection = new Connection(told);
    places = new Places(told.inFlight);
    inFlight = told.inFlight;
    maxMessage = told.maxMessage;
    timeout = told.timeout;
    channel = connection.open();
    Reconnector.watch(channel);
  }

  /**
   * Connects to a server without TLS, with the first call.
   *
   * @param target "HOST:PORT", "unix:PATH" or any gRPC name
   * @return the Gate; close it
   */
  public static Gate connect(String target) {
    return builder(target).connect();
  }

  /**
   * Begins to describe a connection: TLS, token, timeout, limits.
   *
   * @param target "HOST:PORT", "unix:PATH" or any gRPC name
   * @return a builder
   */
  public static GateBuilder builder(String target) {
    return new GateBuilder(target);
  }

  /**
   * Calls a function.
   *
   * @param module its module, as exposed
   * @param function its name
   * @param args positional arguments; a bare {@code null} is one argument, None
   * @return what it returns
   */
  public Object call(String module, String function, Object... args) {
    return call(Call.of(module, function).args(args));
  }

  /**
   * Calls a function with keyword arguments or a timeout.
   *
   * @param call the call
   * @return what the function returns
   */
  public Object call(Call call) {
    CallFunctionRequest request = request(call, "");
    Deadline deadline = deadline(call.timeout());
    takePlace(deadline);
    CallFunctionResponse response;
    try {
      response = unary(FunctionServiceGrpc.getCallFunctionMethod(), request, deadline);
    } finally {
      places.release();
    }
    return Values.decode(response.getValue());
  }

  /**
   * Calls a function without waiting for it.
   *
   * @param call the call
   * @return what the function returns, once it does; cancelling it cancels the call, on the server as well
   */
  public CompletableFuture<Object> callAsync(Call call) {
    CallFunctionRequest request = request(call, "");
    Deadline deadline = deadline(call.timeout());
    checkUsable();
    return PendingCall.start(
        places,
        () -> Failures.noPlace(inFlight),
        deadline,
        () -> channel.newCall(FunctionServiceGrpc.getCallFunctionMethod(), options(deadline)),
        request,
        this::failure);
  }

  /**
   * Streams what a generator yields, each item as it is made.
   *
   * @param module its module, as exposed
   * @param function its name
   * @param args positional arguments
   * @return the items; close it, which closes the generator on the server
   */
  public CloseableIterator<Object> stream(String module, String function, Object... args) {
    return stream(Call.of(module, function).args(args));
  }

  /**
   * Streams what a generator yields; an exception comes after the items before it.
   *
   * @param call the call; its timeout is for the whole stream
   * @return the items; close it, which closes the generator on the server
   */
  public CloseableIterator<Object> stream(Call call) {
    CallFunctionRequest request = request(call, "");
    Deadline deadline = deadline(call.timeout());
    checkUsable();
    return new Responses<StreamFunctionResponse, Object>(
        () ->
            ClientCalls.blockingServerStreamingCall(
                channel, FunctionServiceGrpc.getStreamFunctionMethod(), options(deadline), request),
        item -> Values.decode(item.getValue()),
        this::failure);
  }

  /**
   * Makes many calls in one request, which is much cheaper than one by one.
   *
   * @param calls the calls, without timeouts of their own
   * @return how each ended, in the order of the calls
   */
  public List<Outcome> batch(List<Call> calls) {
    return batch(calls, null, null);
  }

  /**
   * Makes many calls in one request.
   *
   * @param calls the calls, without timeouts of their own; at most as many as the server takes (10,000 unless set)
   * @param timeout how long all of them may take; null for the Gate's
   * @param callTimeout how long each may take from when it starts to run; null for no limit
   * @return how each ended, in the order of the calls. If the request breaks off midway, the calls without an answer have
   *     failed with that
   * @throws GateException if the request failed and no call was answered
   */
  public List<Outcome> batch(List<Call> calls, Duration timeout, Duration callTimeout) {
    BatchCallFunctionsRequest request = batchRequest(calls, Call.checked(callTimeout));
    Deadline deadline = deadline(Call.checked(timeout));
    Outcome[] outcomes = new Outcome[calls.size()];
    takePlace(deadline);
    try (Responses<BatchCallFunctionsResponse, BatchCallFunctionsResponse> responses =
        new Responses<>(
            () ->
                ClientCalls.blockingServerStreamingCall(
                    channel, FunctionServiceGrpc.getBatchCallFunctionsMethod(), options(deadline), request),
            response -> response,
            this::failure)) {
      boolean answered = false;
      try {
        for (BatchCallFunctionsResponse response : responses) {
          response.getResultsList().forEach(result -> place(result, outcomes));
          answered = true;
        }
      } catch (GateException error) {
        if (!answered) {
          throw error;
        }
        Arrays.setAll(outcomes, i -> outcomes[i] == null ? new Outcome.Failed(error) : outcomes[i]);
      }
    } finally {
      places.release();
    }
    Arrays.setAll(outcomes, i -> outcomes[i] == null ? new Outcome.Failed(Failures.noAnswer()) : outcomes[i]);
    return List.of(outcomes);
  }

  private static void place(BatchResult result, Outcome[] outcomes) {
    int index = result.getIndex();
    if (index < 0 || index >= outcomes.length || outcomes[index] != null) {
      throw Failures.badAnswer("the server answered call " + index + " of a batch of " + outcomes.length + " twice, or unasked");
    }
    switch (result.getOutcomeCase()) {
      case RESPONSE:
        try {
          outcomes[index] = new Outcome.Returned(Values.decode(result.getResponse().getValue()));
        } catch (ValueDecodeException error) {
          outcomes[index] = new Outcome.Failed(error);
        }
        break;
      case ERROR:
        outcomes[index] = new Outcome.Failed(Failures.of(result.getError(), ""));
        break;
      default:
        outcomes[index] = new Outcome.Failed(Failures.noAnswer());
    }
  }

  /**
   * The functions that this client may call.
   *
   * @return by module and name
   */
  public List<FunctionInfo> functions() {
    return functions("");
  }

  /**
   * The functions of a module that this client may call.
   *
   * @param module the module; empty for all
   * @return by module and name
   */
  public List<FunctionInfo> functions(String module) {
    List<FunctionInfo> functions = new ArrayList<>();
    String token = "";
    do {
      ListFunctionsRequest request = ListFunctionsRequest.newBuilder().setModule(module).setPageToken(token).build();
      ListFunctionsResponse page = unary(FunctionServiceGrpc.getListFunctionsMethod(), request, deadline(null));
      page.getFunctionsList().forEach(function -> functions.add(FunctionInfo.of(function)));
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    return List.copyOf(functions);
  }

  /**
   * Describes a function.
   *
   * @param module its module
   * @param function its name
   * @return what the server tells about it
   */
  public FunctionInfo function(String module, String function) {
    GetFunctionRequest request = GetFunctionRequest.newBuilder().setModule(module).setFunction(function).build();
    return FunctionInfo.of(unary(FunctionServiceGrpc.getGetFunctionMethod(), request, deadline(null)).getFunction());
  }

  /**
   * The channel, for generated stubs: of the administration, of the health service, or of {@link FunctionServiceGrpc}.
   *
   * @return the channel, which sends the token along; closing the Gate ends it
   */
  public Channel channel() {
    return channel;
  }

  private CallFunctionRequest request(Call call, String path) {
    CallFunctionRequest.Builder made =
        CallFunctionRequest.newBuilder().setModule(call.module()).setFunction(call.function());
    int index = 0;
    for (Object value : call.args()) {
      made.addArgs(Values.encode(value, path + "args[" + index++ + "]"));
    }
    for (Map.Entry<String, Object> named : call.kwargs().entrySet()) {
      made.putKwargs(named.getKey(), Values.encode(named.getValue(), path + "kwargs['" + named.getKey() + "']"));
    }
    return checkedSize(made.build());
  }

  private BatchCallFunctionsRequest batchRequest(List<Call> calls, Duration callTimeout) {
    BatchCallFunctionsRequest.Builder made = BatchCallFunctionsRequest.newBuilder();
    for (int i = 0; i < calls.size(); i++) {
      Call call = calls.get(i);
      if (call.timeout() != null) {
        throw new IllegalArgumentException("calls[" + i + "] has a timeout of its own; a batch has one, and a callTimeout");
      }
      made.addCalls(request(call, "calls[" + i + "]."));
    }
    if (callTimeout != null && callTimeout.compareTo(FOREVER) < 0) {
      // 0 would be no timeout of a protobuf Duration's kind that says anything: the shortest there is.
      Duration told = callTimeout.isZero() ? Duration.ofNanos(1) : callTimeout;
      made.getCallTimeoutBuilder().setSeconds(told.getSeconds()).setNanos(told.getNano());
    }
    return checkedSize(made.build());
  }

  private <M extends MessageLite> M checkedSize(M request) {
    int size = request.getSerializedSize();
    if (size < 0 || size > maxMessage) { // below 0: beyond 2 GiB
      throw Failures.tooLarge(size < 0 ? "more than 2147483647" : size, maxMessage, "this client sends (maxMessage)");
    }
    return request;
  }

  private Deadline deadline(Duration told) {
    Duration limit = told == null ? timeout : told;
    if (limit == null || limit.compareTo(FOREVER) >= 0) {
      return null;
    }
    if (limit.isZero()) {
      throw Failures.noTime();
    }
    return Deadline.after(limit.toNanos(), TimeUnit.NANOSECONDS);
  }

  private static CallOptions options(Deadline deadline) {
    return deadline == null ? CallOptions.DEFAULT : CallOptions.DEFAULT.withDeadline(deadline);
  }

  private void takePlace(Deadline deadline) {
    checkUsable();
    CompletableFuture<Void> turn = places.take();
    if (turn == null) {
      return;
    }
    try {
      if (deadline == null) {
        turn.get();
      } else {
        turn.get(deadline.timeRemaining(TimeUnit.NANOSECONDS), TimeUnit.NANOSECONDS);
      }
    } catch (InterruptedException interrupted) {
      giveUp(turn);
      Thread.currentThread().interrupt();
      throw Failures.interrupted();
    } catch (TimeoutException passed) {
      giveUp(turn);
      throw Failures.noPlace(inFlight);
    } catch (ExecutionException impossible) { // a turn comes or does not; it never fails
      throw new IllegalStateException(impossible);
    }
  }

  private void giveUp(CompletableFuture<Void> turn) {
    if (!places.leave(turn)) {
      places.release();
    }
  }

  private <Q, R> R unary(MethodDescriptor<Q, R> method, Q request, Deadline deadline) {
    checkUsable();
    try {
      return ClientCalls.blockingUnaryCall(channel, method, options(deadline), request);
    } catch (StatusRuntimeException error) {
      throw failure(error);
    }
  }

  private CallgateException failure(StatusRuntimeException error) {
    CallgateException failure = Failures.of(error, connection);
    boolean ours = failure instanceof GateException gate && gate.reason().isEmpty();
    Status.Code code = error.getStatus().getCode();
    if (ours && closed && (code == Status.Code.UNAVAILABLE || code == Status.Code.CANCELLED)) {
      return Failures.cancelledMidway("this Gate was closed");
    }
    if (ours && code == Status.Code.CANCELLED && Thread.currentThread().isInterrupted()) {
      return Failures.cancelledMidway("the thread was interrupted");
    }
    return failure;
  }

  private void checkUsable() {
    if (closed) {
      throw new IllegalStateException("this Gate is closed");
    }
  }

  /** Closes the connection. Calls on their way are cancelled and throw a GateException. Closing again does nothing. */
  @Override
  public void close() {
    closed = true;
    channel.shutdownNow();
    try {
      channel.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public String toString() {
    return "Gate to " + connection.target() + (closed ? ", closed" : "");
  }
}
