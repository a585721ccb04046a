package dev.callgate.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.callgate.Gate;
import dev.callgate.v1.CallFunctionRequest;
import dev.callgate.v1.FunctionServiceGrpc;
import dev.callgate.v1.FunctionServiceGrpc.FunctionServiceBlockingStub;
import dev.callgate.values.Values;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** The ops that make their own concurrency: one thread a caller. */
public final class Load {
  private static final int SENTENCES = 10;

  private Load() {}

  /** What {@link #mixed} saw: how many calls were made, and a sentence for each of the first wrong answers. */
  public record Seen(long made, List<String> wrong) {}

  /** The mixed calls of the runner protocol, each answer compared with the caller's own. */
  public static Seen mixed(Gate gate, int callers, int calls, String echoModule) {
    AtomicLong made = new AtomicLong();
    ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
    onThreads(
        callers,
        caller -> {
          for (int call = 0; call < calls; call++) {
            long n = (long) caller * calls + call;
            String seen = mixedCall(gate, caller, call, n, echoModule);
            made.incrementAndGet();
            if (seen != null && wrong.size() < SENTENCES) {
              wrong.add("caller " + caller + ", call " + call + ": " + seen);
            }
          }
        });
    return new Seen(made.get(), List.copyOf(wrong));
  }

  private static String mixedCall(Gate gate, int caller, int call, long n, String echoModule) {
    Object wanted;
    Object got;
    try {
      switch ((int) (n % 4)) {
        case 0:
          wanted = (double) n;
          got = gate.call("math", "sqrt", (double) n * (double) n);
          break;
        case 1:
          wanted = "[" + n + ", \"x\"]";
          got = gate.call("json", "dumps", List.of(n, "x"));
          break;
        case 2:
          wanted = n;
          got = gate.call("builtins", "abs", -n);
          break;
        default:
          wanted = Map.of("caller", (long) caller, "call", (long) call);
          got = gate.call(echoModule, "echo", wanted);
      }
    } catch (RuntimeException error) {
      return error.toString();
    }
    return Objects.equals(wanted, got) ? null : "wanted " + wanted + ", got " + got;
  }

  static JsonObject concurrent(Gate gate, int callers, int calls) {
    Seen seen = mixed(gate, callers, calls, "conformance_functions");
    JsonObject answer = new JsonObject();
    answer.addProperty("made", seen.made());
    JsonArray wrong = new JsonArray();
    seen.wrong().stream().limit(SENTENCES).forEach(wrong::add);
    answer.add("wrong", wrong);
    return answer;
  }

  static JsonObject bench(Gate gate, String what, int callers, double seconds) {
    FunctionServiceBlockingStub stub = FunctionServiceGrpc.newBlockingStub(gate.channel());
    CallFunctionRequest request =
        CallFunctionRequest.newBuilder().setModule("math").setFunction("sqrt").addArgs(Values.encode(16.0)).build();
    boolean bare = what.equals("stub");
    long[][] taken = new long[callers][];
    long start = System.nanoTime();
    long end = start + (long) (seconds * 1e9);
    onThreads(
        callers,
        caller -> {
          long[] mine = new long[1024];
          int count = 0;
          for (long before = System.nanoTime(); before < end; ) {
            double root =
                bare
                    ? stub.callFunction(request).getValue().getDoubleValue()
                    : (double) gate.call("math", "sqrt", 16.0);
            if (root != 4.0) {
              throw new IllegalStateException("the root of 16 came as " + root);
            }
            long after = System.nanoTime();
            if (count == mine.length) {
              mine = Arrays.copyOf(mine, 2 * count);
            }
            mine[count++] = after - before;
            before = after;
          }
          taken[caller] = Arrays.copyOf(mine, count);
        });
    long[] all = Arrays.stream(taken).flatMapToLong(LongStream::of).sorted().toArray();
    JsonObject answer = new JsonObject();
    answer.addProperty("calls", all.length);
    answer.addProperty("seconds", (System.nanoTime() - start) / 1e9);
    answer.addProperty("p50", all[all.length / 2] / 1e9);
    answer.addProperty("p99", all[(int) (all.length * 0.99)] / 1e9);
    return answer;
  }

  /** Runs what each caller does, on a thread of its own, and throws what one of them threw. */
  private static void onThreads(int callers, IntConsumer work) {
    ConcurrentLinkedQueue<Throwable> failed = new ConcurrentLinkedQueue<>();
    List<Thread> threads = new ArrayList<>();
    IntStream.range(0, callers).forEach(caller -> threads.add(new Thread(() -> work.accept(caller), "caller-" + caller)));
    threads.forEach(thread -> thread.setUncaughtExceptionHandler((where, error) -> failed.add(error)));
    threads.forEach(Thread::start);
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
    if (!failed.isEmpty()) {
      throw new IllegalStateException("a caller failed", failed.peek());
    }
  }
}
