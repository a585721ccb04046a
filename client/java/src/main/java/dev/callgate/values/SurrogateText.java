package dev.callgate.values;

import com.google.protobuf.ByteString;

/**
 * A Python str in which two lone surrogates stand side by side so that a Java String would make one character of them.
 * Every other str with lone surrogates is a String.
 *
 * @param wtf8 the text as UTF-8, each surrogate encoded as if it were a character (Python's "surrogatepass")
 */
public record SurrogateText(ByteString wtf8) {}
