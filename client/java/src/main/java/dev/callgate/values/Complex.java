package dev.callgate.values;

/**
 * A Python complex number.
 *
 * @param real the real part
 * @param imag the imaginary part
 */
public record Complex(double real, double imag) {}
