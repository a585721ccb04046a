package dev.callgate.values;

/** How deep values may nest and how many elements they may hold, and what is left of that for one message. */
final class Budget {
  /** What JSON parsers commonly take; also the server's default. */
  static final int DEPTH = 100;

  /** The server's default; arbitrary. */
  static final int ELEMENTS = 10_000_000;

  /**
   * A container at a depth that is a multiple of this travels serialized on its own ({@code nested_value}): one level takes
   * at most three messages, and protobuf's parsers take 100. See docs/adr/0003-deep-values.md.
   */
  static final int STRIDE = 20;

  /** How many {@code nested_value}s may be one inside the other: each holds a copy of all that is inside. */
  static final int NESTED = DEPTH / STRIDE + 1;

  private int elements = ELEMENTS;

  /** Takes a container of so many elements off the budget; 1 is the depth of the outermost. */
  void enter(int depth, int count) {
    elements -= count;
    if (depth > DEPTH) {
      throw new Problem("nested more than " + DEPTH + " levels deep", true);
    }
    if (elements < 0) {
      throw new Problem("more than " + ELEMENTS + " elements in all", true);
    }
  }
}
