/**
 * Calls Python functions through a Callgate server: {@link dev.callgate.Gate} is a connection, {@link dev.callgate.Call}
 * a call with all that belongs to it. {@link dev.callgate.values} says which Java type stands for which Python type.
 */
package dev.callgate;
