package callgate

import (
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// Encode makes a message of a Go value: the types are in the package's documentation. Calls do it by themselves.
//
// Nil slices and maps are empty lists and dicts, nil pointers are None. Structs are dicts by the names in their tags, as
// in encoding/json; see [To]. It returns a [*ValueFormError] for what has no form on the wire.
func Encode(value any) (*pb.Value, error) {
	made, err := encodeAt("value", value)
	if err != nil {
		return nil, err
	}
	return made, nil
}

func encodeAt(path string, value any) (*pb.Value, *ValueFormError) {
	made, err := encodeOne(value, &budget{elements: mostElements}, 0)
	if err != nil {
		return nil, err.at("%s", path)
	}
	return made, nil
}

// encodeOne encodes a value that stands inside containers of so much depth. What is not in this table is looked at by
// reflection, once a type.
func encodeOne(value any, b *budget, depth int) (*pb.Value, *ValueFormError) {
	switch v := value.(type) {
	case nil:
		return &pb.Value{Kind: &pb.Value_NullValue{}}, nil
	case bool:
		return &pb.Value{Kind: &pb.Value_BoolValue{BoolValue: v}}, nil
	case int:
		return ofInt(int64(v)), nil
	case int64:
		return ofInt(v), nil
	case float64:
		return &pb.Value{Kind: &pb.Value_DoubleValue{DoubleValue: v}}, nil
	case string:
		return encodeString(v)
	case []byte:
		return &pb.Value{Kind: &pb.Value_BytesValue{BytesValue: notNil(v)}}, nil
	case []any:
		return encodeList(v, b, depth+1)
	case []float64:
		return encodePacked(len(v), b, depth+1, func() *pb.Value { return ofFloats(v) })
	case []int64:
		return encodePacked(len(v), b, depth+1, func() *pb.Value { return ofInts(v) })
	case []int:
		return encodePacked(len(v), b, depth+1, func() *pb.Value { return ofInts(widened(v)) })
	case []bool:
		return encodePacked(len(v), b, depth+1, func() *pb.Value { return ofBools(v) })
	case []string:
		return encodeStrings(v, b, depth+1)
	case Tuple:
		return encodeSequence(v, b, depth+1, func(list *pb.ListValue) *pb.Value {
			return &pb.Value{Kind: &pb.Value_TupleValue{TupleValue: list}}
		})
	case Set:
		return encodeSet("set", v, b, depth+1, func(list *pb.ListValue) *pb.Value {
			return &pb.Value{Kind: &pb.Value_SetValue{SetValue: list}}
		})
	case FrozenSet:
		return encodeSet("frozenset", v, b, depth+1, func(list *pb.ListValue) *pb.Value {
			return &pb.Value{Kind: &pb.Value_FrozensetValue{FrozensetValue: list}}
		})
	case Dict:
		return encodeDict(v, b, depth+1)
	case map[string]any:
		return encodeDict(sortedEntries(v), b, depth+1)
	case Record:
		return encodeRecord(v, b, depth+1)
	}
	if made, err, ok := encodeScalar(value); ok {
		return made, err
	}
	return encodeReflected(value, b, depth)
}

// encodePacked encodes a list of one plain type; an empty one is a plain list, whose form does not say of what.
func encodePacked(count int, b *budget, depth int, pack func() *pb.Value) (*pb.Value, *ValueFormError) {
	if problem, _ := b.enter(depth, count); problem != "" {
		return nil, formError("%s", problem)
	}
	if count == 0 {
		return nested(&pb.Value{Kind: &pb.Value_ListValue{ListValue: &pb.ListValue{}}}, depth), nil
	}
	return pack(), nil
}

func ofFloats(v []float64) *pb.Value {
	return &pb.Value{Kind: &pb.Value_DoubleList{DoubleList: &pb.DoubleList{Values: v}}}
}

func ofInts(v []int64) *pb.Value {
	return &pb.Value{Kind: &pb.Value_IntList{IntList: &pb.IntList{Values: v}}}
}

func ofBools(v []bool) *pb.Value {
	return &pb.Value{Kind: &pb.Value_BoolList{BoolList: &pb.BoolList{Values: v}}}
}

func widened(v []int) []int64 {
	made := make([]int64, len(v))
	for i, n := range v {
		made[i] = int64(n)
	}
	return made
}

func encodeStrings(v []string, b *budget, depth int) (*pb.Value, *ValueFormError) {
	for i, text := range v {
		if _, err := encodeString(text); err != nil {
			return nil, err.at("[%d]", i)
		}
	}
	return encodePacked(len(v), b, depth, func() *pb.Value {
		return &pb.Value{Kind: &pb.Value_StringList{StringList: &pb.StringList{Values: v}}}
	})
}

// encodeList encodes a list at depth; packed, if all elements are of one plain type.
func encodeList(v []any, b *budget, depth int) (*pb.Value, *ValueFormError) {
	if len(v) > 0 {
		switch v[0].(type) {
		case float64:
			if all, ok := narrow[float64](v).([]float64); ok {
				return encodeOne(all, b, depth-1)
			}
		case int64, int:
			if all, ok := integers(v); ok {
				return encodeOne(all, b, depth-1)
			}
		case bool:
			if all, ok := narrow[bool](v).([]bool); ok {
				return encodeOne(all, b, depth-1)
			}
		case string:
			if all, ok := narrow[string](v).([]string); ok {
				return encodeOne(all, b, depth-1)
			}
		}
	}
	return encodeSequence(v, b, depth, ofList)
}

// integers returns a list's elements, if all are ints.
func integers(v []any) ([]int64, bool) {
	made := make([]int64, len(v))
	for i, item := range v {
		switch n := item.(type) {
		case int64:
			made[i] = n
		case int:
			made[i] = int64(n)
		default:
			return nil, false
		}
	}
	return made, true
}

func ofList(list *pb.ListValue) *pb.Value {
	return &pb.Value{Kind: &pb.Value_ListValue{ListValue: list}}
}

// encodeSequence encodes a container of elements at depth.
func encodeSequence(v []any, b *budget, depth int, holder func(*pb.ListValue) *pb.Value) (*pb.Value, *ValueFormError) {
	if problem, _ := b.enter(depth, len(v)); problem != "" {
		return nil, formError("%s", problem)
	}
	values := make([]*pb.Value, len(v))
	for i, item := range v {
		made, err := encodeOne(item, b, depth)
		if err != nil {
			return nil, err.at("[%d]", i)
		}
		values[i] = made
	}
	return nested(holder(&pb.ListValue{Values: values}), depth), nil
}

func encodeSet(kind string, v []any, b *budget, depth int, holder func(*pb.ListValue) *pb.Value) (*pb.Value, *ValueFormError) {
	seen := newDuplicates(len(v))
	for i, item := range v {
		switch twice, err := seen.add(pythonic(item)); {
		case err != nil:
			return nil, formError("an element of a %s is not hashable: %v", kind, err).at("[%d]", i)
		case twice:
			return nil, formError("a %s has this element twice", kind).at("[%d]", i)
		}
	}
	return encodeSequence(v, b, depth, holder)
}

// nested serializes a container on its own where parsers would otherwise give up; see nestingStride.
func nested(value *pb.Value, depth int) *pb.Value {
	if depth%nestingStride != 0 {
		return value
	}
	data, err := proto.Marshal(value)
	if err != nil { // strings were checked: nothing that is left can fail
		panic("callgate: a checked value cannot be serialized: " + err.Error())
	}
	return &pb.Value{Kind: &pb.Value_NestedValue{NestedValue: data}}
}

// encodeDict encodes a dict at depth: packed, if all keys are strings.
func encodeDict(v Dict, b *budget, depth int) (*pb.Value, *ValueFormError) {
	if problem, _ := b.enter(depth, len(v)); problem != "" {
		return nil, formError("%s", problem)
	}
	if twice, err := repeated(pythonicKeys(v)); err != nil {
		return nil, formError("this key is not hashable: %v", err).at(".key(%s)", shortKey(twice.Key))
	} else if twice != nil {
		return nil, formError("this key comes twice").at(".key(%s)", shortKey(twice.Key))
	}
	if allStrings(v) {
		return encodeStringMap(v, b, depth)
	}
	entries := make([]*pb.MapEntry, len(v))
	for i := range v {
		key, err := encodeOne(v[i].Key, b, depth)
		if err != nil {
			return nil, err.at(".key(%s)", shortKey(v[i].Key))
		}
		item, err := encodeOne(v[i].Value, b, depth)
		if err != nil {
			return nil, err.at("[%s]", shortKey(v[i].Key))
		}
		entries[i] = &pb.MapEntry{Key: key, Value: item}
	}
	return nested(&pb.Value{Kind: &pb.Value_MapValue{MapValue: &pb.MapValue{Entries: entries}}}, depth), nil
}

func encodeStringMap(v Dict, b *budget, depth int) (*pb.Value, *ValueFormError) {
	keys, values := make([]string, len(v)), make([]*pb.Value, len(v))
	for i := range v {
		key := v[i].Key.(string)
		if !utf8.ValidString(key) {
			return nil, formError("a string that is not UTF-8 is no str (use []byte, or a SurrogateString)").at(".key(%s)", shortKey(key))
		}
		item, err := encodeOne(v[i].Value, b, depth)
		if err != nil {
			return nil, err.at("[%s]", shortKey(key))
		}
		keys[i], values[i] = key, item
	}
	return nested(&pb.Value{Kind: &pb.Value_StringMap{StringMap: &pb.StringMap{Keys: keys, Values: values}}}, depth), nil
}

func encodeRecord(v Record, b *budget, depth int) (*pb.Value, *ValueFormError) {
	if problem, _ := b.enter(depth, len(v.Fields)); problem != "" {
		return nil, formError("%s", problem)
	}
	if v.Form < RecordUnspecified || v.Form > RecordAttrs {
		return nil, formError("a record of an unknown form")
	}
	if !utf8.ValidString(v.TypeName) {
		return nil, formError("a record whose type's name is not UTF-8")
	}
	fields, names := make([]*pb.RecordField, len(v.Fields)), make(map[string]struct{}, len(v.Fields))
	for i, field := range v.Fields {
		if !utf8.ValidString(field.Name) || !insert(names, field.Name) {
			return nil, formError("a field's name is UTF-8, and comes once").at(".%s", shortKey(field.Name))
		}
		item, err := encodeOne(field.Value, b, depth)
		if err != nil {
			return nil, err.at(".%s", cut(field.Name, 80))
		}
		fields[i] = &pb.RecordField{Name: field.Name, Value: item}
	}
	return nested(&pb.Value{Kind: &pb.Value_RecordValue{RecordValue: &pb.Record{
		TypeName: v.TypeName, Form: pb.RecordForm(v.Form), Fields: fields}}}, depth), nil
}
