package dev.callgate;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A call: which function, with what arguments, and how long it may take. It never changes; each method gives another one.
 *
 * <pre>{@code
 * Call quote = Call.of("pricing", "quote").args("X").kwarg("currency", "EUR").timeout(Duration.ofSeconds(2));
 * }</pre>
 */
public final class Call {
  private final String module;
  private final String function;
  private final List<Object> args;
  private final Map<String, Object> kwargs;
  private final Duration timeout;

  private Call(String module, String function, List<Object> args, Map<String, Object> kwargs, Duration timeout) {
    this.module = module;
    this.function = function;
    this.args = args;
    this.kwargs = kwargs;
    this.timeout = timeout;
  }

  /**
   * A call without arguments.
   *
   * @param module the function's module, as exposed
   * @param function its name
   * @return the call
   */
  public static Call of(String module, String function) {
    return new Call(name(module, "module"), name(function, "function"), List.of(), Map.of(), null);
  }

  /**
   * The call with other positional arguments.
   *
   * @param args all of them; a bare {@code null} is one argument, None
   * @return the call
   */
  public Call args(Object... args) {
    return argList(args == null ? Collections.singletonList(null) : Arrays.asList(args));
  }

  /**
   * The call with other positional arguments. (No overload of {@link #args}: a list there is one argument.)
   *
   * @param args all of them
   * @return the call
   */
  public Call argList(List<?> args) {
    return new Call(module, function, Collections.unmodifiableList(new ArrayList<>(args)), kwargs, timeout);
  }

  /**
   * The call with one more keyword argument, or another value for it.
   *
   * @param name the parameter's name
   * @param value its value
   * @return the call
   */
  public Call kwarg(String name, Object value) {
    Map<String, Object> more = new LinkedHashMap<>(kwargs);
    more.put(name(name, "a keyword argument's name"), value);
    return new Call(module, function, args, Collections.unmodifiableMap(more), timeout);
  }

  /**
   * The call with other keyword arguments.
   *
   * @param kwargs all of them, by name
   * @return the call
   */
  public Call kwargs(Map<String, ?> kwargs) {
    Map<String, Object> copy = new LinkedHashMap<>();
    kwargs.forEach((name, value) -> copy.put(name(name, "a keyword argument's name"), value));
    return new Call(module, function, args, Collections.unmodifiableMap(copy), timeout);
  }

  /**
   * The call with a limit on its time: waiting in the client and on the server, running, travelling.
   *
   * @param timeout 0 or more; null for the Gate's
   * @return the call
   * @throws IllegalArgumentException if it is negative
   */
  public Call timeout(Duration timeout) {
    return new Call(module, function, args, kwargs, checked(timeout));
  }

  /** A name that protobuf can send: it would replace lone surrogates by question marks. */
  private static String name(String name, String what) {
    Objects.requireNonNull(name, what);
    for (int i = 0; i < name.length(); i++) {
      if (Character.isSurrogate(name.charAt(i)) && !StandardCharsets.UTF_8.newEncoder().canEncode(name)) {
        throw new IllegalArgumentException(what + " is Unicode text without lone surrogates");
      }
    }
    return name;
  }

  /** A timeout that is none or 0 or more. */
  static Duration checked(Duration timeout) {
    if (timeout != null && timeout.isNegative()) {
      throw new IllegalArgumentException("timeout is " + timeout + "; 0 or more is right, or null for no limit");
    }
    return timeout;
  }

  /**
   * The function's module.
   *
   * @return as exposed
   */
  public String module() {
    return module;
  }

  /**
   * The function's name.
   *
   * @return as exposed
   */
  public String function() {
    return function;
  }

  /**
   * The positional arguments.
   *
   * @return in order
   */
  public List<Object> args() {
    return args;
  }

  /**
   * The keyword arguments.
   *
   * @return by name
   */
  public Map<String, Object> kwargs() {
    return kwargs;
  }

  /**
   * How long the call may take.
   *
   * @return null if the Gate says
   */
  public Duration timeout() {
    return timeout;
  }

  @Override
  public String toString() {
    return module + "." + function + " with " + args.size() + " arguments and " + kwargs.size() + " keyword arguments";
  }
}
