package callgate

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// identityOf gives equal texts for values that Python takes for equal as keys (1, 1.0, True and Decimal("1") are), and
// an error for what Python cannot hash. Values are as the decoder makes them.
func identityOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "None", nil
	case string:
		return "s" + v, nil
	case SurrogateString:
		return "s" + string(v), nil
	case []byte:
		return "b" + string(v), nil
	case UUID:
		return "u" + string(v[:]), nil
	case Date:
		return "d" + v.String(), nil
	case TimeDelta:
		return fmt.Sprintf("span %d %d %d", v.Days, v.Seconds, v.Microseconds), nil
	case TimeOfDay:
		return timeIdentity(v), nil
	case DateTime:
		return dateTimeIdentity(v), nil
	case Tuple:
		return identityOfAll("tuple", v)
	case FrozenSet:
		return setIdentity(v)
	case Record:
		return recordIdentity(v)
	case Tensor:
		if v.Scalar {
			return "scalar " + v.DType + " " + string(v.Data), nil
		}
	case Dict, Set, ArrowStream, []any, []float64, []int64, []bool, []string:
	default:
		if text, ok := numberIdentity(value); ok {
			return text, nil
		}
	}
	return "", fmt.Errorf("unhashable type: %s", pythonName(value))
}

// numberIdentity: numbers of all types are equal where their values are.
func numberIdentity(value any) (string, bool) {
	switch v := value.(type) {
	case bool:
		if v {
			return "n1", true
		}
		return "n0", true
	case int64:
		return "n" + strconv.FormatInt(v, 10), true
	case int:
		return "n" + strconv.Itoa(v), true
	case *big.Int:
		return "n" + v.String(), true
	case float64:
		return floatIdentity(v), true
	case complex128:
		if imag(v) == 0 {
			return floatIdentity(real(v)), true
		}
		return "c" + floatIdentity(real(v)) + " " + floatIdentity(imag(v)), true
	case Decimal:
		if exact, ok := v.Rat(); ok {
			return "n" + exact.RatString(), true
		}
		if text := strings.TrimPrefix(string(v), "-"); text == "Infinity" {
			return floatIdentity(map[bool]float64{true: math.Inf(1), false: math.Inf(-1)}[text == string(v)]), true
		}
		return "decimal " + string(v), true
	}
	return "", false
}

func floatIdentity(v float64) string {
	switch {
	case v == math.Trunc(v) && math.Abs(v) < 1<<62:
		return "n" + strconv.FormatInt(int64(v), 10)
	case math.IsInf(v, 0):
		return "f" + strconv.FormatFloat(v, 'g', -1, 64)
	case math.IsNaN(v):
		return fmt.Sprintf("nan %d", nanCount.Add(1)) // no two are equal
	default:
		return "n" + new(big.Rat).SetFloat64(v).RatString()
	}
}

func timeIdentity(t TimeOfDay) string {
	micros := int64(t.Hour*3600+t.Minute*60+t.Second)*1_000_000 + int64(t.Microsecond)
	if t.Zone == nil || t.Zone.NoOffset {
		return fmt.Sprintf("naive time %d", micros)
	}
	offset, _ := t.Zone.Offset.Duration()
	return fmt.Sprintf("time %d", micros-offset.Microseconds())
}

func dateTimeIdentity(d DateTime) string {
	if d.Time.Zone == nil || d.Time.Zone.NoOffset {
		return "naive " + d.String()
	}
	offset, _ := d.Time.Zone.Offset.Duration()
	return "instant " + d.In(time.UTC).Add(-offset).Format(time.RFC3339Nano)
}

// identityOfAll: each part with its length before it, so that parts cannot run into one another.
func identityOfAll(kind string, values []any) (string, error) {
	var made strings.Builder
	made.WriteString(kind)
	for _, value := range values {
		part, err := identityOf(value)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&made, " %d:%s", len(part), part)
	}
	return made.String(), nil
}

func setIdentity(values []any) (string, error) {
	parts := make([]any, len(values))
	for i, value := range values {
		part, err := identityOf(value)
		if err != nil {
			return "", err
		}
		parts[i] = part
	}
	slices.SortFunc(parts, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return identityOfAll("frozenset", parts)
}

func recordIdentity(r Record) (string, error) {
	fields := make([]any, len(r.Fields))
	for i, field := range r.Fields {
		fields[i] = Tuple{field.Name, field.Value}
	}
	made, err := setIdentity(fields)
	return "record " + strconv.Quote(r.TypeName) + made, err
}

// duplicates finds keys or elements that come twice, or that Python cannot hash.
type duplicates struct {
	texts  map[string]struct{}
	others map[string]struct{}
}

func newDuplicates(count int) *duplicates {
	return &duplicates{texts: make(map[string]struct{}, count)}
}

// add returns whether the key was there already.
func (d *duplicates) add(key any) (twice bool, err error) {
	if text, ok := key.(string); ok {
		return !insert(d.texts, text), nil
	}
	identity, err := identityOf(key)
	if err != nil {
		return false, err
	}
	if key, ok := key.(SurrogateString); ok {
		return !insert(d.texts, string(key)), nil
	}
	if d.others == nil {
		d.others = map[string]struct{}{}
	}
	return !insert(d.others, identity), nil
}

func insert(into map[string]struct{}, key string) bool {
	before := len(into)
	into[key] = struct{}{}
	return len(into) != before
}
