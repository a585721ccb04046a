package callgate

import (
	"fmt"
	"unicode/utf8"
)

// scanSurrogates reads WTF-8: UTF-8 in which surrogates (U+D800 to U+DFFF) are encoded as if they were characters.
// It tells whether there are any, and what is wrong, if something is.
func scanSurrogates(text string) (surrogates bool, problem string) {
	for at := 0; at < len(text); {
		char, size := utf8.DecodeRuneInString(text[at:])
		if char == utf8.RuneError && size == 1 {
			if at+3 > len(text) || text[at] != 0xED || text[at+1]&0xE0 != 0xA0 || text[at+2]&0xC0 != 0x80 {
				return surrogates, fmt.Sprintf("byte %d begins no character", at)
			}
			surrogates, size = true, 3
		}
		at += size
	}
	return surrogates, ""
}
