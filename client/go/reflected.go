package callgate

import (
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// encodeReflected encodes what the encoder's table does not have: named types, pointers, slices, maps and structs.
func encodeReflected(value any, b *budget, depth int) (*pb.Value, *ValueFormError) {
	v := reflect.ValueOf(value)
	for hops := 0; v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface; hops++ {
		if v.IsNil() {
			return encodeOne(nil, b, depth)
		}
		if hops == mostDepth { // a pointer to itself, mostly
			return nil, formError("more than %d pointers to pointers", mostDepth)
		}
		if v = v.Elem(); v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
			return encodeOne(v.Interface(), b, depth)
		}
		if v.Kind() == reflect.Pointer && v.Type() == reflect.TypeFor[*big.Int]() {
			return encodeOne(v.Interface(), b, depth)
		}
	}
	kind := v.Type()
	switch v.Kind() {
	case reflect.Bool:
		return encodeOne(v.Bool(), b, depth)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return ofInt(v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return ofBigInt(new(big.Int).SetUint64(v.Uint())), nil
	case reflect.Float32, reflect.Float64:
		return encodeOne(v.Float(), b, depth)
	case reflect.Complex64, reflect.Complex128:
		return encodeOne(v.Complex(), b, depth)
	case reflect.String:
		return encodeString(v.String())
	case reflect.Slice, reflect.Array:
		return encodeReflectedList(v, b, depth+1)
	case reflect.Map:
		return encodeReflectedMap(v, b, depth+1)
	case reflect.Struct:
		if plan := planOf(kind); plan.fields != nil {
			return encodeStruct(v, plan, b, depth+1)
		}
	}
	return nil, formError("%s has no form on the wire%s", kind, hintFor(kind))
}

func encodeReflectedList(v reflect.Value, b *budget, depth int) (*pb.Value, *ValueFormError) {
	kind := v.Type()
	if kind.Elem().Kind() == reflect.Uint8 {
		if v.Kind() == reflect.Array && kind.Len() == 16 && kind.Name() == "UUID" { // google/uuid's, and others'
			var id UUID
			reflect.Copy(reflect.ValueOf(id[:]), v)
			return encodeOne(id, b, depth-1)
		}
		data := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(data), v)
		return encodeOne(data, b, depth-1)
	}
	items := make([]any, v.Len())
	for i := range items {
		items[i] = pythonic(v.Index(i).Interface())
	}
	return encodeList(items, b, depth)
}

func encodeReflectedMap(v reflect.Value, b *budget, depth int) (*pb.Value, *ValueFormError) {
	if v.Type().Elem() == reflect.TypeFor[struct{}]() { // how a set is written in Go
		items := make(Set, 0, v.Len())
		for _, key := range v.MapKeys() {
			items = append(items, pythonic(key.Interface()))
		}
		slices.SortFunc(items, byIdentity)
		return encodeOne(items, b, depth-1)
	}
	made := make(Dict, 0, v.Len())
	for entries := v.MapRange(); entries.Next(); {
		made = append(made, Entry{pythonic(entries.Key().Interface()), entries.Value().Interface()})
	}
	slices.SortFunc(made, func(x, y Entry) int { return byIdentity(x.Key, y.Key) })
	return encodeDict(made, b, depth)
}

// byIdentity puts keys in some order that is always the same: Go's maps have none.
func byIdentity(a, b any) int {
	x, _ := identityOf(a)
	y, _ := identityOf(b)
	return strings.Compare(x, y)
}

func sortedEntries(v map[string]any) Dict {
	made := make(Dict, 0, len(v))
	for key, value := range v {
		made = append(made, Entry{key, value})
	}
	slices.SortFunc(made, func(x, y Entry) int { return strings.Compare(x.Key.(string), y.Key.(string)) })
	return made
}

// encodeStruct encodes a struct at depth, as a dict or as the record that its tag names.
func encodeStruct(v reflect.Value, plan *structPlan, b *budget, depth int) (*pb.Value, *ValueFormError) {
	fields := make([]Field, 0, len(plan.fields))
	for _, field := range plan.fields {
		item, err := v.FieldByIndexErr(field.index)
		if err != nil || (field.omitEmpty && item.IsZero()) {
			continue // inside an embedded pointer that is nil
		}
		fields = append(fields, Field{field.name, item.Interface()})
	}
	if plan.record != "" {
		return encodeRecord(Record{plan.record, RecordUnspecified, fields}, b, depth)
	}
	made := make(Dict, len(fields))
	for i, field := range fields {
		made[i] = Entry{field.Name, field.Value}
	}
	return encodeDict(made, b, depth)
}

// pythonic makes named and sized Go types of one piece what the decoder would make of them, so that keys compare and
// lists pack.
func pythonic(value any) any {
	switch v := value.(type) {
	case nil, bool, int64, float64, string, []byte, Tuple, FrozenSet, Dict, Set, Record, *big.Int, Decimal, UUID,
		SurrogateString, Date, TimeOfDay, DateTime, TimeDelta, Tensor, ArrowStream, complex128:
		return value
	case int:
		return int64(v)
	case time.Time:
		return DateTimeOf(v)
	case time.Duration:
		return timeDeltaOf(v)
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n := new(big.Int).SetUint64(v.Uint()); !n.IsInt64() {
			return n
		}
		return int64(v.Uint())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.String:
		return v.String()
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Len() == 16 && v.Type().Name() == "UUID" {
			var id UUID
			reflect.Copy(reflect.ValueOf(id[:]), v)
			return id
		}
	}
	return value
}

func pythonicKeys(v Dict) Dict {
	if allStrings(v) {
		return v
	}
	made := make(Dict, len(v))
	for i := range v {
		made[i] = Entry{Key: pythonic(v[i].Key)}
	}
	return made
}

func hintFor(kind reflect.Type) string {
	switch {
	case kind == reflect.TypeFor[big.Rat](), kind == reflect.TypeFor[big.Float]():
		return " (use a Decimal, or a Tuple of numerator and denominator)"
	case kind.Kind() == reflect.Func, kind.Kind() == reflect.Chan:
		return " (no code crosses the wire)"
	case kind.Kind() == reflect.Struct:
		return " (it has no exported fields)"
	}
	return ""
}
