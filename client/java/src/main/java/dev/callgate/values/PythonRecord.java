package dev.callgate.values;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * An instance of a named Python type: a dataclass, namedtuple, Enum member, pydantic model or attrs class.
 *
 * @param typeName the type: {@code "module:Qualified.name"}
 * @param form which Python idiom the type is
 * @param fields the fields, in order; copied. Of an Enum's member: "name" and "value"
 */
public record PythonRecord(String typeName, Form form, Map<String, Object> fields) {
  /** Which Python idiom a type is, in the order of the contract's numbers. */
  public enum Form {
    /** Not said: some client's struct. */
    UNSPECIFIED,
    /** dataclasses.dataclass. */
    DATACLASS,
    /** collections.namedtuple or typing.NamedTuple. */
    NAMEDTUPLE,
    /** enum.Enum. */
    ENUM,
    /** pydantic.BaseModel. */
    PYDANTIC,
    /** attrs.define. */
    ATTRS
  }

  /**
   * Copies the fields.
   *
   * @param typeName the type
   * @param form which idiom it is
   * @param fields the fields
   */
  public PythonRecord {
    fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
  }

  /**
   * One field's value.
   *
   * @param name the field's name
   * @return its value, which may be null
   * @throws NoSuchElementException if there is no such field
   */
  public Object get(String name) {
    Object value = fields.get(name);
    if (value == null && !fields.containsKey(name)) {
      throw new NoSuchElementException("a " + typeName + " record has no field '" + name + "'");
    }
    return value;
  }
}
