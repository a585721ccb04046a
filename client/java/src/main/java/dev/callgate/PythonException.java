package dev.callgate;

import com.google.protobuf.Any;
import dev.callgate.values.Values;
import dev.callgate.v1.TracebackFrame;
import dev.callgate.v1.Value;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The function raised.
 *
 * <p>The remote traceback stands at the top of the stack trace, innermost frame first as Java has it, as {@code
 * <python>.function(file:line)}. {@link #getCause} is the exception that this one was raised from, or during; the members of
 * an ExceptionGroup are {@link #getSuppressed suppressed} exceptions, too.
 */
public final class PythonException extends CallgateException {
  private static final long serialVersionUID = 1L;

  private final transient dev.callgate.v1.PythonException remote;
  private final transient Told told;
  private final transient PythonException cause;
  private final transient PythonException context;
  private final transient List<PythonException> exceptions;

  /** What the status around an exception tells, the same for all of its relatives. */
  record Told(Status.Code code, String reason, Map<String, String> metadata, String callId, List<Any> details) {}

  static PythonException of(dev.callgate.v1.PythonException remote, Told told) {
    PythonException made = relative(remote, told);
    // Below the remote frames stand this program's own, as for any exception.
    List<StackTraceElement> trace = new ArrayList<>(List.of(made.getStackTrace()));
    trace.addAll(List.of(new Throwable().getStackTrace()));
    made.setStackTrace(trace.toArray(StackTraceElement[]::new));
    return made;
  }

  private static PythonException relative(dev.callgate.v1.PythonException remote, Told told) {
    PythonException cause = remote.hasCause() ? relative(remote.getCause(), told) : null;
    PythonException context = remote.hasContext() ? relative(remote.getContext(), told) : null;
    List<PythonException> members = remote.getExceptionsList().stream().map(one -> relative(one, told)).toList();
    return new PythonException(remote, told, cause, context, members);
  }

  private PythonException(
      dev.callgate.v1.PythonException remote,
      Told told,
      PythonException cause,
      PythonException context,
      List<PythonException> exceptions) {
    super(text(remote), cause != null || remote.getSuppressContext() ? cause : context);
    this.remote = remote;
    this.told = told;
    this.cause = cause;
    this.context = context;
    this.exceptions = exceptions;
    exceptions.forEach(this::addSuppressed);
    setStackTrace(trace(remote.getFramesList()));
  }

  private static String text(dev.callgate.v1.PythonException remote) {
    StringBuilder text = new StringBuilder(name(remote));
    if (!remote.getMessage().isEmpty()) {
      text.append(": ").append(remote.getMessage());
    }
    remote.getNotesList().forEach(note -> text.append('\n').append(note));
    return text.toString();
  }

  private static String name(dev.callgate.v1.PythonException remote) {
    String name = remote.getQualname().isEmpty() ? remote.getType() : remote.getQualname();
    return remote.getModule().equals("builtins") ? name : remote.getModule() + "." + name;
  }

  private static StackTraceElement[] trace(List<TracebackFrame> frames) {
    StackTraceElement[] trace = new StackTraceElement[frames.size()];
    for (int i = 0; i < trace.length; i++) {
      TracebackFrame frame = frames.get(trace.length - 1 - i);
      trace[i] = new StackTraceElement("<python>", frame.getFunction(), frame.getFile(), frame.getLine());
    }
    return trace;
  }

  /**
   * The class's name.
   *
   * @return "ZeroDivisionError"
   */
  public String type() {
    return remote.getType();
  }

  /**
   * The class's module.
   *
   * @return "builtins", "decimal"
   */
  public String module() {
    return remote.getModule();
  }

  /**
   * The class's qualified name.
   *
   * @return as {@link #type}, but for a nested class
   */
  public String qualname() {
    return remote.getQualname().isEmpty() ? remote.getType() : remote.getQualname();
  }

  /**
   * The builtin classes that the class derives from.
   *
   * @return nearest first: "LookupError", "Exception"
   */
  public List<String> builtinBases() {
    return remote.getBuiltinBasesList();
  }

  /**
   * Whether {@code except NAME} would catch it in Python.
   *
   * @param builtin a builtin exception's name: "ArithmeticError"
   * @return true if the exception is of that class, or of one that derives from it
   */
  public boolean isA(String builtin) {
    return remote.getBuiltinBasesList().contains(builtin)
        || remote.getModule().equals("builtins") && remote.getType().equals(builtin);
  }

  /**
   * The exception's text.
   *
   * @return {@code str(exception)}; {@link #getMessage} adds the class and the notes
   */
  public String message() {
    return remote.getMessage();
  }

  /**
   * The exception's arguments.
   *
   * @return {@code exception.args}; empty if they could not travel, see {@link #argsOmitted}
   */
  public List<Object> args() {
    List<Object> args = new ArrayList<>();
    try {
      for (Value value : remote.getArgsList()) {
        args.add(Values.decode(value, "args[" + args.size() + "]"));
      }
    } catch (ValueDecodeException newer) { // one without the others would be another argument
      return List.of();
    }
    return Collections.unmodifiableList(args);
  }

  /**
   * Whether the arguments were left out.
   *
   * @return true if one of them has no Value form, or they did not fit
   */
  public boolean argsOmitted() {
    return remote.getArgsOmitted();
  }

  /**
   * The notes that were added to the exception (PEP 678).
   *
   * @return {@code exception.__notes__}
   */
  public List<String> notes() {
    return remote.getNotesList();
  }

  /**
   * The traceback as Python orders it.
   *
   * @return the outermost frame first; empty if the server keeps tracebacks to itself
   */
  public List<RemoteFrame> frames() {
    return remote.getFramesList().stream()
        .map(f -> new RemoteFrame(f.getFile(), f.getLine(), f.getFunction(), f.getSource(), f.getRepeated()))
        .toList();
  }

  /**
   * The traceback as Python prints it, with source lines.
   *
   * @return the text; without frames, the last line alone
   */
  public String traceback() {
    StringBuilder text = new StringBuilder();
    for (TracebackFrame frame : remote.getFramesList()) {
      text.append(text.isEmpty() ? "Traceback (most recent call last):\n" : "");
      text.append("  File \"%s\", line %d, in %s\n".formatted(frame.getFile(), frame.getLine(), frame.getFunction()));
      text.append(frame.getSource().isEmpty() ? "" : "    " + frame.getSource() + "\n");
      if (frame.getRepeated() > 0) {
        text.append("  [the frame above repeated ").append(frame.getRepeated()).append(" more times]\n");
      }
    }
    return text.append(getMessage()).toString();
  }

  /**
   * What it was raised from.
   *
   * @return {@code exception.__cause__}; null if there is none
   */
  public PythonException pythonCause() {
    return cause;
  }

  /**
   * What was being handled when it was raised.
   *
   * @return {@code exception.__context__}; null if there is none
   */
  public PythonException pythonContext() {
    return context;
  }

  /**
   * Whether Python would not show the context.
   *
   * @return {@code exception.__suppress_context__}
   */
  public boolean suppressContext() {
    return remote.getSuppressContext();
  }

  /**
   * The members of an ExceptionGroup.
   *
   * @return in order; empty for any other exception
   */
  public List<PythonException> exceptions() {
    return exceptions;
  }

  /**
   * The fields that builtin exceptions have of their own: "errno", "filename", "lineno", …
   *
   * @return the values by name
   */
  public Map<String, Object> attributes() {
    Map<String, Object> attributes = new LinkedHashMap<>();
    remote
        .getAttributesMap()
        .forEach(
            (name, value) -> {
              try {
                attributes.put(name, Values.decode(value, name));
              } catch (ValueDecodeException newer) {
                // what this client cannot read is left out; the exception counts
              }
            });
    return Collections.unmodifiableMap(attributes);
  }

  /**
   * Whether something was left out so that the exception fits into a failed call's metadata.
   *
   * @return true if so
   */
  public boolean truncated() {
    return remote.getTruncated();
  }

  /**
   * The canonical code.
   *
   * @return UNKNOWN, or what the function chose by raising a StatusError
   */
  public Status.Code code() {
    return told.code;
  }

  /**
   * The failure's reason.
   *
   * @return "FUNCTION_RAISED"; "NO_VALUE_FORM" if the function returned what cannot travel
   */
  public String reason() {
    return told.reason;
  }

  /**
   * More about the reason, by name.
   *
   * @return the metadata of the ErrorInfo
   */
  public Map<String, String> metadata() {
    return told.metadata;
  }

  /**
   * The id under which the server logged the call.
   *
   * @return the id; empty if there is none
   */
  public String callId() {
    return told.callId;
  }

  /**
   * What the function attached to a StatusError.
   *
   * @return protobuf messages
   */
  public List<Any> details() {
    return told.details;
  }
}
