package dev.callgate.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import dev.callgate.GateException;
import dev.callgate.PythonException;
import dev.callgate.RemoteFrame;
import io.grpc.Status;
import java.util.Map;

/** The client's exceptions as the runner protocol has them. */
final class Failure {
  private Failure() {}

  static JsonObject of(RuntimeException error) {
    if (error instanceof PythonException raised) {
      JsonObject made = base(raised, true, raised.code(), raised.reason(), raised.message(), raised.callId());
      made.add("metadata", texts(raised.metadata()));
      made.add("exception", exception(raised));
      return made;
    }
    if (error instanceof GateException gate) {
      JsonObject made = base(gate, false, gate.code(), gate.reason(), gate.problem(), gate.callId());
      made.add("metadata", texts(gate.metadata()));
      gate.retryAfter().ifPresent(delay -> made.addProperty("retry_after", delay.toNanos() / 1e9));
      return made;
    }
    // What the client refuses by itself, before or after the server: it has no status.
    JsonObject made = base(error, false, null, "", String.valueOf(error.getMessage()), "");
    made.add("metadata", new JsonObject());
    return made;
  }

  private static JsonObject base(
      RuntimeException error, boolean raised, Status.Code code, String reason, String message, String callId) {
    JsonObject made = new JsonObject();
    made.addProperty("class", error.getClass().getSimpleName());
    made.addProperty("raised", raised);
    made.addProperty("code", code == null ? "" : code.name());
    made.addProperty("reason", reason);
    made.addProperty("message", message);
    made.add("retry_after", JsonNull.INSTANCE);
    made.addProperty("call_id", callId);
    made.add("exception", JsonNull.INSTANCE);
    return made;
  }

  private static JsonElement exception(PythonException error) {
    if (error == null) {
      return JsonNull.INSTANCE;
    }
    JsonObject made = new JsonObject();
    made.addProperty("type", error.type());
    made.addProperty("module", error.module());
    made.addProperty("qualname", error.qualname().equals(error.type()) ? "" : error.qualname());
    made.addProperty("message", error.message());
    JsonArray args = new JsonArray();
    error.args().forEach(value -> args.add(Hex.of(value)));
    made.add("args", args);
    JsonArray notes = new JsonArray();
    error.notes().forEach(notes::add);
    made.add("notes", notes);
    JsonArray frames = new JsonArray();
    error.frames().forEach(frame -> frames.add(frame(frame)));
    made.add("frames", frames);
    made.add("cause", exception(error.pythonCause()));
    made.add("context", exception(error.pythonContext()));
    made.addProperty("suppress_context", error.suppressContext());
    JsonArray members = new JsonArray();
    error.exceptions().forEach(member -> members.add(exception(member)));
    made.add("exceptions", members);
    JsonArray bases = new JsonArray();
    error.builtinBases().forEach(bases::add);
    made.add("builtin_bases", bases);
    made.addProperty("truncated", error.truncated());
    JsonObject attributes = new JsonObject();
    error.attributes().forEach((name, value) -> attributes.addProperty(name, Hex.of(value)));
    made.add("attributes", attributes);
    return made;
  }

  private static JsonObject frame(RemoteFrame frame) {
    JsonObject made = new JsonObject();
    made.addProperty("file", frame.file());
    made.addProperty("line", frame.line());
    made.addProperty("function", frame.function());
    made.addProperty("source", frame.source());
    return made;
  }

  private static JsonObject texts(Map<String, String> texts) {
    JsonObject made = new JsonObject();
    texts.forEach(made::addProperty);
    return made;
  }
}
