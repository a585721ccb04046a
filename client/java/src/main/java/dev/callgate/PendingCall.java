package dev.callgate;

import dev.callgate.v1.CallFunctionRequest;
import dev.callgate.v1.CallFunctionResponse;
import dev.callgate.v1.Value;
import dev.callgate.values.Values;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/** A call that no thread waits for; cancelling it cancels the call, on the server as well. */
final class PendingCall extends CompletableFuture<Object> implements StreamObserver<CallFunctionResponse> {
  private final Places places;
  private final Supplier<ClientCall<CallFunctionRequest, CallFunctionResponse>> open;
  private final CallFunctionRequest request;
  private final Function<StatusRuntimeException, CallgateException> failure;
  private CallFunctionResponse response;

  private PendingCall(
      Places places,
      Supplier<ClientCall<CallFunctionRequest, CallFunctionResponse>> open,
      CallFunctionRequest request,
      Function<StatusRuntimeException, CallgateException> failure) {
    this.places = places;
    this.open = open;
    this.request = request;
    this.failure = failure;
  }

  /**
   * Starts a call when there is a place for it.
   *
   * @param places where it may have to wait
   * @param noPlace the exception if the deadline passes there
   * @param deadline the call's; null for none
   * @param open makes the RPC
   * @param request what to send
   * @param failure the exception for a failed RPC
   */
  static PendingCall start(
      Places places,
      Supplier<GateException> noPlace,
      Deadline deadline,
      Supplier<ClientCall<CallFunctionRequest, CallFunctionResponse>> open,
      CallFunctionRequest request,
      Function<StatusRuntimeException, CallgateException> failure) {
    PendingCall made = new PendingCall(places, open, request, failure);
    CompletableFuture<Void> turn = places.take();
    if (turn == null) {
      made.send();
      return made;
    }
    turn.thenRun(Context.current().wrap(made::send));
    made.whenComplete(
        (value, error) -> {
          if (made.isCancelled()) {
            places.leave(turn);
          }
        });
    if (deadline != null) {
      long nanos = deadline.timeRemaining(TimeUnit.NANOSECONDS);
      CompletableFuture.delayedExecutor(nanos, TimeUnit.NANOSECONDS)
          .execute(
              () -> {
                if (places.leave(turn)) {
                  made.completeExceptionally(noPlace.get());
                }
              });
    }
    return made;
  }

  private void send() {
    if (isDone()) { // cancelled while it waited
      places.release();
      return;
    }
    try {
      ClientCall<CallFunctionRequest, CallFunctionResponse> call = open.get();
      ClientCalls.asyncUnaryCall(call, request, this);
      whenComplete(
          (value, error) -> {
            if (isCancelled()) {
              call.cancel("cancelled by the caller", null);
            }
          });
    } catch (RuntimeException error) { // the call was never started: nobody else would tell
      places.release();
      completeExceptionally(error);
    }
  }

  @Override
  public void onNext(CallFunctionResponse message) {
    response = message;
  }

  @Override
  public void onError(Throwable error) {
    places.release();
    completeExceptionally(error instanceof StatusRuntimeException failed ? failure.apply(failed) : error);
  }

  @Override
  public void onCompleted() {
    places.release();
    try {
      // gRPC ends an RPC well without a message, too: that is a Value with no kind, and refused.
      complete(Values.decode(response == null ? Value.getDefaultInstance() : response.getValue()));
    } catch (CallgateException error) {
      completeExceptionally(error);
    }
  }

  @Override
  public <U> CompletableFuture<U> newIncompleteFuture() {
    return new CompletableFuture<>(); // what is derived from it is no call
  }
}
