package dev.callgate.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import dev.callgate.Call;
import dev.callgate.CallgateException;
import dev.callgate.CloseableIterator;
import dev.callgate.FunctionInfo;
import dev.callgate.Gate;
import dev.callgate.GateBuilder;
import dev.callgate.Outcome;
import dev.callgate.ValueDecodeException;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** The conformance runner: tests/conformance/README.md is its protocol. */
public final class Runner {
  private static final Gson JSON = new GsonBuilder().serializeNulls().serializeSpecialFloatingPointValues().create();

  private final Map<String, Gate> gates = new HashMap<>();

  private Runner() {}

  /** Answers the requests on stdin. */
  public static void main(String[] arguments) throws IOException {
    PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Runner runner = new Runner();
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      JsonObject request = JsonParser.parseString(line).getAsJsonObject();
      JsonObject answer;
      try {
        answer = runner.answer(request);
      } catch (RuntimeException | StackOverflowError fault) {
        fault.printStackTrace();
        answer = new JsonObject();
        answer.addProperty("fault", fault.toString());
      }
      answer.add("id", request.get("id"));
      answers.println(JSON.toJson(answer));
    }
    runner.gates.values().forEach(Gate::close);
  }

  private JsonObject answer(JsonObject request) {
    String op = request.get("op").getAsString();
    switch (op) {
      case "hello":
        return hello();
      case "value":
        return value(request.get("value").getAsString());
      case "connect":
        return connect(request);
      case "close":
        Gate closing = gates.remove(request.get("gate").getAsString());
        if (closing != null) {
          closing.close();
        }
        return made("closed", true);
      case "call":
        return call(gate(request), request);
      case "stream":
        return stream(gate(request), request);
      case "batch":
        return batch(gate(request), request);
      case "list":
        return orFailure(() -> list(gate(request).functions(text(request, "module", ""))));
      case "describe":
        String module = request.get("module").getAsString();
        String function = request.get("function").getAsString();
        return orFailure(() -> made("function", function(gate(request).function(module, function))));
      case "concurrent":
        return Load.concurrent(gate(request), request.get("callers").getAsInt(), request.get("calls").getAsInt());
      case "shared":
        return made("unsupported", "this client has no automatic batching; batch() sends many calls at once");
      case "bench":
        return Load.bench(
            gate(request),
            request.get("what").getAsString(),
            request.get("callers").getAsInt(),
            request.get("seconds").getAsDouble());
      default:
        return made("fault", "unknown op " + op);
    }
  }

  private static JsonObject hello() {
    JsonObject answer = made("language", "java");
    answer.addProperty("version", System.getProperty("java.version"));
    answer.addProperty("grpc", "grpc-java " + io.grpc.ManagedChannel.class.getPackage().getImplementationVersion());
    return answer;
  }

  private static JsonObject value(String hex) {
    try {
      return made("value", Hex.of(Hex.decode(hex)));
    } catch (ValueDecodeException error) {
      JsonObject failure = made("class", error.getClass().getSimpleName());
      failure.addProperty("message", error.getMessage());
      JsonObject answer = new JsonObject();
      answer.add("failure", failure);
      return answer;
    }
  }

  private JsonObject connect(JsonObject request) {
    try {
      GateBuilder builder = Gate.builder(request.get("target").getAsString()).token(text(request, "token", ""));
      String ca = text(request, "tls_ca", null);
      String certificate = text(request, "tls_certificate", null);
      String key = text(request, "tls_key", null);
      if (ca != null) {
        builder.ca(Path.of(ca));
      }
      if (certificate != null && key != null) {
        builder.certificate(Path.of(certificate), Path.of(key));
      }
      Gate replaced = gates.put(request.get("gate").getAsString(), builder.connect());
      if (replaced != null) {
        replaced.close();
      }
      return made("connected", true);
    } catch (CallgateException | IllegalArgumentException error) {
      return failed(error);
    }
  }

  private Gate gate(JsonObject request) {
    String name = request.get("gate").getAsString();
    Gate gate = gates.get(name);
    if (gate == null) {
      throw new IllegalArgumentException("no gate " + name);
    }
    return gate;
  }

  private static JsonObject call(Gate gate, JsonObject request) {
    Call call = callOf(request).timeout(seconds(request, "timeout"));
    long start = System.nanoTime();
    JsonObject answer;
    try (Interruption interruption = new Interruption()) {
      interruption.after(seconds(request, "cancel_after"));
      answer = orFailure(() -> made("value", Hex.of(gate.call(call))));
    }
    answer.addProperty("seconds", (System.nanoTime() - start) / 1e9);
    return answer;
  }

  private static JsonObject stream(Gate gate, JsonObject request) {
    Call call = callOf(request).timeout(seconds(request, "timeout"));
    JsonElement take = request.get("take");
    long most = take == null || take.isJsonNull() ? Long.MAX_VALUE : take.getAsLong();
    JsonArray values = new JsonArray();
    JsonObject answer = new JsonObject();
    answer.add("values", values);
    answer.add("failure", JsonNull.INSTANCE);
    try (Interruption interruption = new Interruption();
        CloseableIterator<Object> items = gate.stream(call)) {
      interruption.after(seconds(request, "cancel_after"));
      while (values.size() < most && items.hasNext()) {
        values.add(Hex.of(items.next()));
      }
    } catch (CallgateException error) {
      answer.add("failure", Failure.of(error));
    }
    return answer;
  }

  private static JsonObject batch(Gate gate, JsonObject request) {
    return orFailure(
        () -> {
          List<Call> calls = new ArrayList<>();
          request.getAsJsonArray("calls").forEach(call -> calls.add(callOf(call.getAsJsonObject())));
          JsonArray results = new JsonArray();
          for (Outcome outcome : gate.batch(calls, seconds(request, "timeout"), seconds(request, "call_timeout"))) {
            results.add(orFailure(() -> made("value", Hex.of(outcome.get()))));
          }
          JsonObject answer = new JsonObject();
          answer.add("results", results);
          return answer;
        });
  }

  private static JsonObject list(List<FunctionInfo> functions) {
    JsonArray described = new JsonArray();
    functions.forEach(function -> described.add(function(function)));
    JsonObject answer = new JsonObject();
    answer.add("functions", described);
    return answer;
  }

  private static JsonObject function(FunctionInfo function) {
    JsonObject made = made("module", function.module());
    made.addProperty("function", function.function());
    made.addProperty("signature", function.signature());
    made.addProperty("doc", function.doc());
    made.addProperty("executor", function.executor());
    return made;
  }

  private static Call callOf(JsonObject request) {
    Call call = Call.of(request.get("module").getAsString(), request.get("function").getAsString());
    List<Object> args = new ArrayList<>();
    if (request.has("args")) {
      request.getAsJsonArray("args").forEach(hex -> args.add(Hex.decode(hex.getAsString())));
    }
    call = call.argList(args);
    if (request.has("kwargs")) {
      for (Map.Entry<String, JsonElement> named : request.getAsJsonObject("kwargs").entrySet()) {
        call = call.kwarg(named.getKey(), Hex.decode(named.getValue().getAsString()));
      }
    }
    return call;
  }

  private static JsonObject orFailure(Supplier<JsonObject> work) {
    try {
      return work.get();
    } catch (CallgateException error) {
      return failed(error);
    }
  }

  private static JsonObject failed(RuntimeException error) {
    JsonObject answer = new JsonObject();
    answer.add("failure", Failure.of(error));
    return answer;
  }

  private static Duration seconds(JsonObject request, String key) {
    JsonElement seconds = request.get(key);
    return seconds == null || seconds.isJsonNull() ? null : Duration.ofNanos(Math.round(seconds.getAsDouble() * 1e9));
  }

  private static String text(JsonObject request, String key, String otherwise) {
    JsonElement text = request.get(key);
    return text == null || text.isJsonNull() ? otherwise : text.getAsString();
  }

  private static JsonObject made(String key, Object value) {
    JsonObject made = new JsonObject();
    made.add(key, value instanceof JsonElement element ? element : JSON.toJsonTree(value));
    return made;
  }
}
