package dev.callgate.values;

import java.util.ArrayList;
import java.util.List;

/** What is wrong with a value, on its way out of the conversion, where each container adds its part of the path. */
final class Problem extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Whether a limit was reached: then the value may hold itself. */
  final boolean exhausted;

  // The path's parts and the containers that they belong to, innermost first.
  private final transient List<String> parts = new ArrayList<>();
  private final transient List<Object> holders = new ArrayList<>();

  Problem(String problem) {
    this(problem, false);
  }

  Problem(String problem, boolean exhausted) {
    super(problem, null, false, false); // not for people: no trace
    this.exhausted = exhausted;
  }

  /** Says that it is inside a container, at a place of it. */
  Problem within(Object holder, String part) {
    holders.add(holder);
    parts.add(part);
    return this;
  }

  String path() {
    return path(parts.size());
  }

  private String path(int outermost) {
    StringBuilder path = new StringBuilder();
    for (int i = parts.size() - 1; i >= parts.size() - outermost; i--) {
      path.append(parts.get(i));
    }
    return path.toString();
  }

  /** The paths of two places, from the outermost value, where one and the same container stands; null if there are none. */
  String[] cycle() {
    int count = holders.size();
    for (int second = 1; second < count; second++) {
      for (int first = 0; first < second; first++) {
        if (holders.get(count - 1 - first) == holders.get(count - 1 - second)) {
          return new String[] {path(first), path(second)};
        }
      }
    }
    return null;
  }

  /** A key or name as a path shows it. */
  static String shown(Object key) {
    String text;
    try {
      text = key instanceof String name ? "'" + name + "'" : String.valueOf(key);
    } catch (RuntimeException hostile) { // a toString() of the user's own
      text = key.getClass().getName();
    }
    return text.length() <= 80 ? text : text.substring(0, 79) + "…";
  }
}
