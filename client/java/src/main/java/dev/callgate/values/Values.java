package dev.callgate.values;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.callgate.ValueDecodeException;
import dev.callgate.ValueFormException;
import dev.callgate.v1.Value;

/** Converts between Java values and {@link Value}; a {@link dev.callgate.Gate} does so by itself. */
public final class Values {
  private Values() {}

  /**
   * Encodes a Java value in the form that Python's client writes.
   *
   * @param value what to encode
   * @return the message
   * @throws ValueFormException if the value, or one inside it, has no Value form
   */
  public static Value encode(Object value) {
    return encode(value, "value");
  }

  /**
   * Encodes a Java value in the form that Python's client writes.
   *
   * @param value what to encode
   * @param path how errors name it: {@code args[0]}
   * @return the message
   * @throws ValueFormException if the value, or one inside it, has no Value form
   */
  public static Value encode(Object value, String path) {
    if (value instanceof Double number) { // the commonest by far, worth no budget
      return Value.newBuilder().setDoubleValue(number).build();
    }
    try {
      return new Encoder().encode(value, 0);
    } catch (Problem problem) {
      String[] cycle = problem.exhausted ? problem.cycle() : null;
      throw cycle == null
          ? new ValueFormException(path + problem.path(), problem.getMessage())
          : new ValueFormException(path + cycle[1], "the value holds itself: this is " + path + cycle[0] + " again");
    }
  }

  /**
   * Decodes a Value.
   *
   * @param value the message
   * @return the Java value
   * @throws ValueDecodeException if it is no value that Python could hold, or goes beyond a limit
   */
  public static Object decode(Value value) {
    return decode(value, "result");
  }

  /**
   * Decodes a Value.
   *
   * @param value the message
   * @param path how errors name it: {@code result}
   * @return the Java value
   * @throws ValueDecodeException if it is no value that Python could hold, or goes beyond a limit
   */
  public static Object decode(Value value, String path) {
    if (value.hasDoubleValue()) {
      return value.getDoubleValue();
    }
    try {
      return new Decoder().decode(value, 0, false);
    } catch (Problem problem) {
      throw new ValueDecodeException(path + problem.path(), problem.getMessage());
    }
  }

  /**
   * Decodes a serialized Value.
   *
   * @param data the message's bytes
   * @return the Java value
   * @throws ValueDecodeException if the bytes are no Value, or as {@link #decode(Value)}
   */
  public static Object decode(byte[] data) {
    Value value;
    try {
      value = Value.parseFrom(data);
    } catch (InvalidProtocolBufferException malformed) {
      throw new ValueDecodeException("result", "not a serialized Value: " + malformed.getMessage());
    }
    return decode(value);
  }
}
