package dev.callgate.values;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.Map;

/** Java's records and enum constants, which travel as records: the function's type hints make Python's classes of them. */
final class JavaRecords {
  private static final ClassValue<Method[]> ACCESSORS =
      new ClassValue<>() {
        @Override
        protected Method[] computeValue(Class<?> type) {
          RecordComponent[] components = type.getRecordComponents();
          Method[] accessors = new Method[components.length];
          for (int i = 0; i < components.length; i++) {
            accessors[i] = components[i].getAccessor();
            accessors[i].trySetAccessible(); // a record of a class's own; where it fails, invoke() says so
          }
          return accessors;
        }
      };

  private JavaRecords() {}

  static PythonRecord of(Record value) {
    Map<String, Object> fields = new LinkedHashMap<>();
    for (Method accessor : ACCESSORS.get(value.getClass())) {
      try {
        fields.put(accessor.getName(), accessor.invoke(value));
      } catch (IllegalAccessException closed) {
        throw new Problem(value.getClass().getName() + " is closed to reflection: open its package to dev.callgate");
      } catch (InvocationTargetException failed) {
        throw new Problem("the accessor " + accessor.getName() + "() threw " + failed.getCause());
      }
    }
    return new PythonRecord(typeName(value.getClass()), PythonRecord.Form.UNSPECIFIED, fields);
  }

  static PythonRecord of(Enum<?> constant) {
    Map<String, Object> fields = Map.of("name", constant.name());
    return new PythonRecord(typeName(constant.getDeclaringClass()), PythonRecord.Form.ENUM, fields);
  }

  private static String typeName(Class<?> type) {
    String module = type.getPackageName();
    String name = type.getName();
    return module + ":" + (module.isEmpty() ? name : name.substring(module.length() + 1)).replace('$', '.');
  }
}
