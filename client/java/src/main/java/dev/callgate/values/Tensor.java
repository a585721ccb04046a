package dev.callgate.values;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A numpy array or scalar: element type, shape, and the elements' bytes.
 *
 * <p>{@link #buffer} is the elements without a copy: {@code tensor.buffer().asDoubleBuffer()} for dtype "float64".
 */
public final class Tensor {
  private final String dtype;
  private final long[] shape;
  private final ByteString data;
  private final boolean scalar;

  /**
   * Makes a tensor.
   *
   * @param dtype the element type by numpy's name: "float64", "int8", "bool", "datetime64[ns]", "S5", "U3"; a long double's
   *     names its format: "longdouble[x87]"
   * @param shape the size of each dimension; empty for a 0-d array or a scalar
   * @param data the elements in C order, little-endian, without padding
   * @param scalar whether it is a numpy scalar, which is not a 0-d array
   * @throws IllegalArgumentException if these do not fit one another
   */
  public Tensor(String dtype, long[] shape, ByteString data, boolean scalar) {
    this.dtype = dtype;
    this.shape = shape.clone();
    this.data = data;
    this.scalar = scalar;
    String problem = ElementTypes.problem(dtype, this.shape, data, scalar);
    if (problem != null) {
      throw new IllegalArgumentException(problem);
    }
  }

  /**
   * An array of float64.
   *
   * @param elements the elements in C order
   * @param shape the size of each dimension; none for one dimension of all elements
   * @return the tensor
   */
  public static Tensor of(double[] elements, long... shape) {
    ByteBuffer bytes = ByteBuffer.allocate(elements.length * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asDoubleBuffer().put(elements);
    return of("float64", bytes, elements.length, shape);
  }

  /**
   * An array of float32.
   *
   * @param elements the elements in C order
   * @param shape the size of each dimension; none for one dimension of all elements
   * @return the tensor
   */
  public static Tensor of(float[] elements, long... shape) {
    ByteBuffer bytes = ByteBuffer.allocate(elements.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(elements);
    return of("float32", bytes, elements.length, shape);
  }

  /**
   * An array of int64.
   *
   * @param elements the elements in C order
   * @param shape the size of each dimension; none for one dimension of all elements
   * @return the tensor
   */
  public static Tensor of(long[] elements, long... shape) {
    ByteBuffer bytes = ByteBuffer.allocate(elements.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(elements);
    return of("int64", bytes, elements.length, shape);
  }

  /**
   * An array of int32.
   *
   * @param elements the elements in C order
   * @param shape the size of each dimension; none for one dimension of all elements
   * @return the tensor
   */
  public static Tensor of(int[] elements, long... shape) {
    ByteBuffer bytes = ByteBuffer.allocate(elements.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(elements);
    return of("int32", bytes, elements.length, shape);
  }

  private static Tensor of(String dtype, ByteBuffer bytes, int count, long[] shape) {
    return new Tensor(dtype, shape.length == 0 ? new long[] {count} : shape, ByteString.copyFrom(bytes), false);
  }

  /**
   * The element type.
   *
   * @return numpy's name for it
   */
  public String dtype() {
    return dtype;
  }

  /**
   * The size of each dimension.
   *
   * @return a copy of the shape
   */
  public long[] shape() {
    return shape.clone();
  }

  /**
   * The elements' bytes.
   *
   * @return in C order, little-endian, without padding
   */
  public ByteString data() {
    return data;
  }

  /**
   * Whether it is a numpy scalar.
   *
   * @return false for an array, of no dimensions too
   */
  public boolean scalar() {
    return scalar;
  }

  /**
   * The elements' bytes to read from.
   *
   * @return a read-only view, little-endian
   */
  public ByteBuffer buffer() {
    return data.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Tensor tensor
        && dtype.equals(tensor.dtype)
        && scalar == tensor.scalar
        && Arrays.equals(shape, tensor.shape)
        && data.equals(tensor.data);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * dtype.hashCode() + Arrays.hashCode(shape)) + data.hashCode();
  }

  @Override
  public String toString() {
    return "Tensor[dtype=" + dtype + ", shape=" + Arrays.toString(shape) + (scalar ? ", scalar]" : "]");
  }
}
