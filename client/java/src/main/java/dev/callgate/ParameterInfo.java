package dev.callgate;

import dev.callgate.v1.Parameter;
import dev.callgate.v1.ParameterKind;

/**
 * One parameter of a function.
 *
 * @param name its name
 * @param kind how arguments bind to it
 * @param type its annotation as written; empty if it has none
 * @param defaultRepr Python's repr() of its default; empty if it has none
 * @param required whether a call must give it
 */
public record ParameterInfo(String name, ParameterKind kind, String type, String defaultRepr, boolean required) {
  static ParameterInfo of(Parameter message) {
    return new ParameterInfo(
        message.getName(), message.getKind(), message.getType(), message.getDefaultRepr(), message.getRequired());
  }
}
