package dev.callgate.values;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;

/**
 * A Python tuple, which is not a list: equal to another tuple of equal items, and to nothing else.
 *
 * @param items the items, in order; copied, and may be null
 */
public record Tuple(List<Object> items) implements Iterable<Object> {
  /**
   * Copies the items.
   *
   * @param items the items
   */
  public Tuple {
    items = Collections.unmodifiableList(new ArrayList<>(items));
  }

  /**
   * Makes a tuple.
   *
   * @param items the items
   * @return the tuple
   */
  public static Tuple of(Object... items) {
    return new Tuple(Arrays.asList(items));
  }

  /**
   * One item.
   *
   * @param index its place, from 0
   * @return the item
   */
  public Object get(int index) {
    return items.get(index);
  }

  /**
   * How many items there are.
   *
   * @return the number of items
   */
  public int size() {
    return items.size();
  }

  @Override
  public Iterator<Object> iterator() {
    return items.iterator();
  }

  @Override
  public String toString() {
    String text = items.toString();
    return "(" + text.substring(1, text.length() - 1) + (items.size() == 1 ? ",)" : ")");
  }
}
