/**
 * Python's values in Java. What has an exact counterpart in the JDK is that; the rest are small types of this package.
 *
 * <table>
 * <caption>What a Python value arrives as; each can be sent again and is the same value then</caption>
 * <tr><th>Python</th><th>Java</th></tr>
 * <tr><td>None, bool, int, float, str</td><td>null, Boolean, Long or BigInteger, Double, String</td></tr>
 * <tr><td>bytes</td><td>byte[]; ByteString as a key, an element of a set, or inside one</td></tr>
 * <tr><td>list, tuple, set, frozenset, dict</td><td>List, {@link dev.callgate.values.Tuple}, Set,
 *     {@link dev.callgate.values.FrozenSet}, Map (all unmodifiable, in order)</td></tr>
 * <tr><td>complex, Decimal, UUID</td><td>{@link dev.callgate.values.Complex}, BigDecimal
 *     ({@link dev.callgate.values.SpecialDecimal} for NaN, infinities and -0), UUID</td></tr>
 * <tr><td>date, time, datetime, timedelta</td><td>LocalDate; LocalTime, OffsetTime; LocalDateTime, OffsetDateTime,
 *     ZonedDateTime; Duration ({@link dev.callgate.values.PythonTime} and {@link dev.callgate.values.PythonDateTime}
 *     for what those cannot hold)</td></tr>
 * <tr><td>numpy arrays, Arrow data</td><td>{@link dev.callgate.values.Tensor},
 *     {@link dev.callgate.values.ArrowStream}</td></tr>
 * <tr><td>dataclasses and their kind</td><td>{@link dev.callgate.values.PythonRecord}</td></tr>
 * </table>
 *
 * <p>Also sent: the smaller numbers (int, short, byte, float), arrays (as lists), Instant (as a datetime in UTC), records
 * and enum constants (as records).
 */
package dev.callgate.values;
