package dev.callgate.values;

import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * A Python frozenset; a {@link Set} is a Python set.
 *
 * @param items the elements; copied
 */
public record FrozenSet(Set<Object> items) implements Iterable<Object> {
  /**
   * Copies the elements.
   *
   * @param items the elements
   */
  public FrozenSet {
    items = Collections.unmodifiableSet(new LinkedHashSet<>(items));
  }

  /**
   * Makes a frozenset.
   *
   * @param items the elements
   * @return the frozenset
   */
  public static FrozenSet of(Object... items) {
    return new FrozenSet(new LinkedHashSet<>(Arrays.asList(items)));
  }

  @Override
  public Iterator<Object> iterator() {
    return items.iterator();
  }

  @Override
  public String toString() {
    return "frozenset(" + items + ")";
  }
}
