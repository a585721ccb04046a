package dev.callgate.values;

import com.google.protobuf.ByteString;
import dev.callgate.v1.Value;

/** Strings, and those with lone surrogates, which protobuf would replace by question marks without a word. */
final class Text {
  private Text() {}

  /** Whether every surrogate of a string is half of a pair. */
  static boolean isWellFormed(String text) {
    for (int i = 0, length = text.length(); i < length; i++) {
      char unit = text.charAt(i);
      if (Character.isSurrogate(unit)) {
        if (Character.isLowSurrogate(unit) || i + 1 == length || !Character.isLowSurrogate(text.charAt(i + 1))) {
          return false;
        }
        i++;
      }
    }
    return true;
  }

  static Value encode(String text) {
    return isWellFormed(text)
        ? Value.newBuilder().setStringValue(text).build()
        : Value.newBuilder().setSurrogateStringValue(wtf8(text)).build();
  }

  /** UTF-8 in which a lone surrogate is three bytes, as if it were a character. */
  private static ByteString wtf8(String text) {
    ByteString.Output out = ByteString.newOutput(text.length() * 3);
    text.codePoints()
        .forEach(
            point -> {
              if (point < 0x80) {
                out.write(point);
              } else if (point < 0x800) {
                out.write(0xC0 | point >> 6);
                out.write(0x80 | point & 0x3F);
              } else if (point < 0x10000) {
                out.write(0xE0 | point >> 12);
                out.write(0x80 | point >> 6 & 0x3F);
                out.write(0x80 | point & 0x3F);
              } else {
                out.write(0xF0 | point >> 18);
                out.write(0x80 | point >> 12 & 0x3F);
                out.write(0x80 | point >> 6 & 0x3F);
                out.write(0x80 | point & 0x3F);
              }
            });
    return out.toByteString();
  }

  /** A String; SurrogateText if a String would be another text. */
  static Object decode(ByteString bytes) {
    StringBuilder text = new StringBuilder(bytes.size());
    for (int at = 0; at < bytes.size(); ) {
      int first = bytes.byteAt(at) & 0xFF;
      int length = first < 0x80 ? 1 : first >= 0xC2 && first < 0xE0 ? 2 : first >> 4 == 0xE ? 3 : first >> 3 == 0x1E ? 4 : 0;
      if (length == 0 || at + length > bytes.size()) {
        throw malformed(at);
      }
      int point = length == 1 ? first : first & 0xFF >> length + 1;
      for (int i = 1; i < length; i++) {
        int next = bytes.byteAt(at + i) & 0xFF;
        if (next >> 6 != 0b10) {
          throw malformed(at);
        }
        point = point << 6 | next & 0x3F;
      }
      if (length == 3 && point < 0x800 || length == 4 && (point < 0x10000 || point > Character.MAX_CODE_POINT)) {
        throw malformed(at);
      }
      text.appendCodePoint(point);
      at += length;
    }
    String made = text.toString();
    return wtf8(made).equals(bytes) ? made : new SurrogateText(bytes);
  }

  private static Problem malformed(int at) {
    return new Problem("a surrogate_string_value is not WTF-8: byte " + at);
  }
}
