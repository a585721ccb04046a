package callgate

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

var nanCount atomic.Uint64

// shortKey shows a key in a path as Python's repr() would, cut to 40 characters.
func shortKey(key any) string {
	switch k := key.(type) {
	case nil:
		return "None"
	case bool:
		if k {
			return "True"
		}
		return "False"
	case string:
		return shortText(k)
	case []byte:
		return "b" + shortText(string(k))
	case int64, int:
		return fmt.Sprint(k)
	case float64:
		text := strconv.FormatFloat(k, 'g', -1, 64)
		if k == math.Trunc(k) && !strings.ContainsAny(text, "eIN") {
			text += ".0"
		}
		return text
	case *big.Int:
		if k != nil && k.BitLen() <= 256 {
			return cut(k.String(), 40)
		}
		return "<int>"
	}
	return "<" + pythonName(key) + ">"
}

func shortText(text string) string {
	quote := byte('\'')
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		quote = '"'
	}
	var made strings.Builder
	made.WriteByte(quote)
	for count, at := 0, 0; at < len(text); count++ {
		char, size := utf8.DecodeRuneInString(text[at:])
		if count == 40 {
			made.WriteRune('…')
			break
		}
		switch {
		case char == utf8.RuneError && size == 1:
			fmt.Fprintf(&made, `\x%02x`, text[at])
		case char == rune(quote) || char == '\\':
			made.WriteByte('\\')
			made.WriteRune(char)
		case unicode.IsPrint(char):
			made.WriteRune(char)
		default:
			made.WriteString(strings.Trim(strconv.QuoteRuneToASCII(char), "'"))
		}
		at += size
	}
	made.WriteByte(quote)
	return made.String()
}

// cut shortens a text to so many characters, and says so by an ellipsis.
func cut(text string, most int) string {
	count := 0
	for at := range text {
		if count++; count > most {
			return text[:at] + "…"
		}
	}
	return text
}

// pythonName names a value's type as Python does; other types by their Go name.
func pythonName(value any) string {
	switch v := value.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, SurrogateString:
		return "str"
	case []byte:
		return "bytes"
	case []any, []float64, []int64, []bool, []string:
		return "list"
	case Tuple:
		return "tuple"
	case Set:
		return "set"
	case FrozenSet:
		return "frozenset"
	case Dict:
		return "dict"
	case complex128:
		return "complex"
	case Decimal:
		return "Decimal"
	case Date:
		return "date"
	case TimeOfDay:
		return "time"
	case DateTime:
		return "datetime"
	case TimeDelta:
		return "timedelta"
	case Record:
		if v.TypeName != "" {
			return cut(v.TypeName, 80)
		}
		return "Record"
	}
	return reflect.TypeOf(value).String()
}
