package callgate

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"
)

// To converts a value that a call returned to a type of yours.
//
//   - A dict or a Record becomes a struct by its fields' names: a field's is the one in its tag `callgate:"name"`, else
//     its own in snake_case. As in encoding/json, names that the struct lacks are left out, and fields without a value
//     stay as they are; `callgate:"-"` and `callgate:"name,omitempty"` mean what they do there. A struct with the field
//     `_ struct{} "callgate:\"record=module:Type\""` is sent as a Record of that type, others are sent as dicts.
//   - A dict or a Record becomes a map; a set also a map to struct{}.
//   - Lists, tuples and sets become slices, and arrays of exactly their length.
//   - An int becomes any integer type that holds it, or a float that is equal to it. A float never becomes an int.
//   - An aware datetime becomes a time.Time, a timedelta a time.Duration, an Enum's member its value or its name.
//   - None becomes a nil pointer, map, slice or interface.
//
// Inside an interface a value stays what it is. What does not fit is a [*ConversionError].
func To[T any](value any) (T, error) {
	if made, ok := value.(T); ok {
		return made, nil
	}
	var made T
	if err := assign(reflect.ValueOf(&made).Elem(), value); err != nil {
		return *new(T), err.at("result")
	}
	return made, nil
}

// assign sets a variable to a value as the decoder makes them.
func assign(into reflect.Value, value any) *ConversionError {
	kind := into.Type()
	if value == nil {
		switch kind.Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
			into.SetZero()
			return nil
		}
		return mismatch(value, kind)
	}
	if own := reflect.TypeOf(value); own == kind || (kind.Kind() == reflect.Interface && own.Implements(kind)) {
		into.Set(reflect.ValueOf(value))
		return nil
	}
	if done, err := assignSpecial(into, value); done {
		return err
	}
	if record, ok := value.(Record); ok && record.Form == RecordEnum && kind.Kind() != reflect.Struct && kind.Kind() != reflect.Map {
		return assignMember(into, record)
	}
	switch kind.Kind() {
	case reflect.Pointer:
		if kind == reflect.TypeFor[*big.Int]() {
			return assignBigInt(into, value)
		}
		made := reflect.New(kind.Elem())
		if err := assign(made.Elem(), value); err != nil {
			return err
		}
		into.Set(made)
		return nil
	case reflect.Bool:
		if v, ok := value.(bool); ok {
			into.SetBool(v)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return assignInt(into, value)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return assignUint(into, value)
	case reflect.Float32, reflect.Float64:
		return assignFloat(into, value)
	case reflect.Complex64, reflect.Complex128:
		if v, ok := value.(complex128); ok {
			into.SetComplex(v)
			return nil
		}
		var part float64
		if err := assignFloat(reflect.ValueOf(&part).Elem(), value); err != nil {
			return mismatch(value, kind)
		}
		into.SetComplex(complex(part, 0))
		return nil
	case reflect.String:
		if v, ok := value.(string); ok && !isOwnText(kind) {
			into.SetString(v)
			return nil
		}
	case reflect.Slice, reflect.Array:
		return assignSequence(into, value)
	case reflect.Map:
		return assignMap(into, value)
	case reflect.Struct:
		return assignStruct(into, value)
	}
	return mismatch(value, kind)
}

func mismatch(value any, kind reflect.Type) *ConversionError {
	return conversionError("%s is of type %s, and %s is wanted", shown(value), pythonName(value), kind)
}

// shown is a value of one piece as Python writes it; of others only what they are.
func shown(value any) string {
	switch value.(type) {
	case nil, bool, int64, float64, string, *big.Int:
		return shortKey(value)
	case Decimal, Date, TimeOfDay, DateTime, TimeDelta, UUID:
		return cut(fmt.Sprint(value), 40)
	}
	return "this value"
}

// isOwnText tells this package's string types, which are no str.
func isOwnText(kind reflect.Type) bool {
	return kind == reflect.TypeFor[Decimal]() || kind == reflect.TypeFor[SurrogateString]()
}

// assignSpecial: types that are told by more than their kind.
func assignSpecial(into reflect.Value, value any) (done bool, err *ConversionError) {
	switch kind := into.Type(); kind {
	case reflect.TypeFor[time.Time]():
		v, ok := value.(DateTime)
		if !ok {
			return true, mismatch(value, kind)
		}
		instant, err := v.Instant()
		if err != nil {
			return true, conversionError("%v", err)
		}
		into.Set(reflect.ValueOf(instant))
		return true, nil
	case reflect.TypeFor[time.Duration]():
		v, ok := value.(TimeDelta)
		if !ok {
			return true, mismatch(value, kind)
		}
		span, fits := v.Duration()
		if !fits {
			return true, conversionError("%s is beyond what time.Duration holds", v)
		}
		into.SetInt(int64(span))
		return true, nil
	case reflect.TypeFor[big.Int]():
		switch v := value.(type) {
		case int64:
			into.Set(reflect.ValueOf(*big.NewInt(v)))
		case *big.Int:
			into.Set(reflect.ValueOf(*new(big.Int).Set(v)))
		default:
			return true, mismatch(value, kind)
		}
		return true, nil
	case reflect.TypeFor[Record](), reflect.TypeFor[Tensor](), reflect.TypeFor[ArrowStream](), reflect.TypeFor[Date](),
		reflect.TypeFor[TimeOfDay](), reflect.TypeFor[DateTime](), reflect.TypeFor[TimeDelta](), reflect.TypeFor[Dict](),
		reflect.TypeFor[Tuple](), reflect.TypeFor[Set](), reflect.TypeFor[FrozenSet]():
		return true, mismatch(value, kind) // exactly these, or not at all
	}
	return false, nil
}

// assignMember sets a variable to an Enum member's value, or a string to its name.
func assignMember(into reflect.Value, member Record) *ConversionError {
	value, found := member.Lookup("value")
	if found && assign(into, value) == nil {
		return nil
	}
	if name, ok := member.Get("name").(string); ok && into.Kind() == reflect.String {
		into.SetString(name)
		return nil
	}
	return mismatch(member, into.Type())
}

func assignBigInt(into reflect.Value, value any) *ConversionError {
	if v, ok := value.(int64); ok {
		into.Set(reflect.ValueOf(big.NewInt(v)))
		return nil
	}
	if v, ok := value.(*big.Int); ok {
		into.Set(reflect.ValueOf(v))
		return nil
	}
	return mismatch(value, into.Type())
}

func assignInt(into reflect.Value, value any) *ConversionError {
	switch v := value.(type) {
	case int64:
		if !into.OverflowInt(v) {
			into.SetInt(v)
			return nil
		}
		return conversionError("%d is beyond what %s holds", v, into.Type())
	case *big.Int:
		return conversionError("%s is beyond what %s holds", shortKey(v), into.Type())
	}
	return mismatch(value, into.Type())
}

func assignUint(into reflect.Value, value any) *ConversionError {
	switch v := value.(type) {
	case int64:
		if v >= 0 && !into.OverflowUint(uint64(v)) {
			into.SetUint(uint64(v))
			return nil
		}
		return conversionError("%d is beyond what %s holds", v, into.Type())
	case *big.Int:
		if v.IsUint64() && !into.OverflowUint(v.Uint64()) {
			into.SetUint(v.Uint64())
			return nil
		}
		return conversionError("%s is beyond what %s holds", shortKey(v), into.Type())
	}
	return mismatch(value, into.Type())
}

func assignFloat(into reflect.Value, value any) *ConversionError {
	switch v := value.(type) {
	case float64:
		if into.OverflowFloat(v) && !math.IsInf(v, 0) {
			return conversionError("%g is beyond what %s holds", v, into.Type())
		}
		into.SetFloat(v)
		return nil
	case int64:
		// Beyond 2**53 only some ints are floats; and 2**63 - 1 rounds up to what no int64 holds.
		if f := float64(v); f < 1<<63 && int64(f) == v && (into.Kind() != reflect.Float32 || float64(float32(f)) == f) {
			into.SetFloat(f)
			return nil
		}
		return conversionError("no %s is equal to %d", into.Type(), v)
	}
	return mismatch(value, into.Type())
}
