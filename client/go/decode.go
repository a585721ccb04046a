package callgate

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// Decode makes a Go value of a message: the types are in the package's documentation. Calls do it by themselves.
//
// It returns a [*ValueDecodeError] for what is no value that Python could hold, or goes beyond a limit (100 levels,
// 10,000,000 elements); its path begins with "result".
func Decode(value *pb.Value) (any, error) {
	made, err := decodeAt("result", value)
	if err != nil {
		return nil, err
	}
	return made, nil
}

func decodeAt(path string, value *pb.Value) (any, *ValueDecodeError) {
	made, err := decodeOne(value, &budget{elements: mostElements}, 0)
	if err != nil {
		return nil, err.at("%s", path)
	}
	return made, nil
}

// decodeOne decodes a Value that stands inside containers of so much depth. Depth and counts are taken off the budget
// before a container is built: a hostile message costs no more than its own bytes did.
func decodeOne(value *pb.Value, b *budget, depth int) (any, *ValueDecodeError) {
	switch kind := value.GetKind().(type) {
	case *pb.Value_NullValue:
		return nil, nil
	case *pb.Value_BoolValue:
		return kind.BoolValue, nil
	case *pb.Value_IntValue:
		return kind.IntValue, nil
	case *pb.Value_DoubleValue:
		return kind.DoubleValue, nil
	case *pb.Value_StringValue:
		return kind.StringValue, nil
	case *pb.Value_BytesValue:
		return notNil(kind.BytesValue), nil
	case *pb.Value_ListValue:
		items, err := decodeValues(kind.ListValue.GetValues(), b, depth+1)
		if err != nil {
			return nil, err
		}
		return narrowed(items), nil
	case *pb.Value_TupleValue:
		items, err := decodeValues(kind.TupleValue.GetValues(), b, depth+1)
		return Tuple(items), err
	case *pb.Value_SetValue:
		items, err := decodeSet("set", kind.SetValue, b, depth+1)
		return Set(items), err
	case *pb.Value_FrozensetValue:
		items, err := decodeSet("frozenset", kind.FrozensetValue, b, depth+1)
		return FrozenSet(items), err
	case *pb.Value_DoubleList:
		return packed(kind.DoubleList.GetValues(), b, depth+1)
	case *pb.Value_IntList:
		return packed(kind.IntList.GetValues(), b, depth+1)
	case *pb.Value_BoolList:
		return packed(kind.BoolList.GetValues(), b, depth+1)
	case *pb.Value_StringList:
		return packed(kind.StringList.GetValues(), b, depth+1)
	case *pb.Value_StringMap:
		return decodeStringMap(kind.StringMap, b, depth+1)
	case *pb.Value_MapValue:
		return decodeMap(kind.MapValue, b, depth+1)
	case *pb.Value_RecordValue:
		return decodeRecord(kind.RecordValue, b, depth+1)
	case *pb.Value_NestedValue:
		return decodeNested(kind.NestedValue, b, depth)
	case nil:
		return nil, decodeError("a Value with no kind set (a newer server's kind, or an empty message)")
	}
	return decodeScalar(value)
}

func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// decodeValues decodes the elements of a container at depth.
func decodeValues(values []*pb.Value, b *budget, depth int) ([]any, *ValueDecodeError) {
	if problem, limit := b.enter(depth, len(values)); problem != "" {
		return nil, &ValueDecodeError{Problem: problem, Limit: limit}
	}
	items := make([]any, len(values))
	for i, value := range values {
		item, err := decodeOne(value, b, depth)
		if err != nil {
			return nil, err.at("[%d]", i)
		}
		items[i] = item
	}
	return items, nil
}

// packed hands out a packed list's own elements.
func packed[T float64 | int64 | bool | string](values []T, b *budget, depth int) (any, *ValueDecodeError) {
	if problem, limit := b.enter(depth, len(values)); problem != "" {
		return nil, &ValueDecodeError{Problem: problem, Limit: limit}
	}
	if len(values) == 0 {
		return []any{}, nil
	}
	return values, nil
}

// narrowed makes a list of one plain type what it would be had it come packed: the sender's choice of form is not seen.
func narrowed(items []any) any {
	if len(items) == 0 {
		return items
	}
	switch items[0].(type) {
	case float64:
		return narrow[float64](items)
	case int64:
		return narrow[int64](items)
	case bool:
		return narrow[bool](items)
	case string:
		return narrow[string](items)
	}
	return items
}

func narrow[T any](items []any) any {
	for _, item := range items {
		if _, ok := item.(T); !ok {
			return items
		}
	}
	made := make([]T, len(items))
	for i, item := range items {
		made[i] = item.(T)
	}
	return made
}

func decodeSet(kind string, value *pb.ListValue, b *budget, depth int) ([]any, *ValueDecodeError) {
	items, err := decodeValues(value.GetValues(), b, depth)
	if err != nil {
		return nil, err
	}
	seen := newDuplicates(len(items))
	for _, item := range items {
		switch twice, err := seen.add(item); {
		case err != nil:
			return nil, decodeError("an element of a %s is not hashable: %v", kind, err)
		case twice:
			return nil, decodeError("a %s has an element twice", kind)
		}
	}
	return items, nil
}

func decodeStringMap(value *pb.StringMap, b *budget, depth int) (any, *ValueDecodeError) {
	keys, values := value.GetKeys(), value.GetValues()
	if len(keys) != len(values) {
		return nil, decodeError("a string_map has %d keys and %d values", len(keys), len(values))
	}
	if problem, limit := b.enter(depth, len(values)); problem != "" {
		return nil, &ValueDecodeError{Problem: problem, Limit: limit}
	}
	made := make(Dict, len(keys))
	for i, key := range keys {
		item, err := decodeOne(values[i], b, depth)
		if err != nil {
			return nil, err.at("[%s]", shortKey(key))
		}
		made[i] = Entry{key, item}
	}
	if twice, _ := repeated(made); twice != nil {
		return nil, decodeError("a key comes twice in a string_map")
	}
	return made, nil
}

func decodeMap(value *pb.MapValue, b *budget, depth int) (any, *ValueDecodeError) {
	entries := value.GetEntries()
	if problem, limit := b.enter(depth, len(entries)); problem != "" {
		return nil, &ValueDecodeError{Problem: problem, Limit: limit}
	}
	made := make(Dict, len(entries))
	for i, entry := range entries {
		key, err := decodeOne(entry.GetKey(), b, depth)
		if err != nil {
			return nil, err.at(".key(%d)", i)
		}
		item, err := decodeOne(entry.GetValue(), b, depth)
		if err != nil {
			return nil, err.at("[%s]", shortKey(key))
		}
		made[i] = Entry{key, item}
	}
	twice, err := repeated(made)
	if err != nil {
		return nil, decodeError("a key is not hashable: %v", err)
	}
	if twice != nil {
		return nil, decodeError("a key comes twice")
	}
	return made, nil
}

// repeated finds the first entry whose key stands before it, too; and the error of a key that Python cannot hash.
func repeated(entries Dict) (*Entry, error) {
	if len(entries) <= 8 { // most dicts: comparing is quicker than a set of all keys
		if allStrings(entries) {
			for i := range entries {
				for j := range i {
					if entries[i].Key.(string) == entries[j].Key.(string) {
						return &entries[i], nil
					}
				}
			}
			return nil, nil
		}
	}
	seen := newDuplicates(len(entries))
	for i := range entries {
		twice, err := seen.add(entries[i].Key)
		if twice || err != nil {
			return &entries[i], err
		}
	}
	return nil, nil
}

func allStrings(entries Dict) bool {
	for i := range entries {
		if _, ok := entries[i].Key.(string); !ok {
			return false
		}
	}
	return true
}

func decodeRecord(value *pb.Record, b *budget, depth int) (any, *ValueDecodeError) {
	fields := value.GetFields()
	if problem, limit := b.enter(depth, len(fields)); problem != "" {
		return nil, &ValueDecodeError{Problem: problem, Limit: limit}
	}
	made := Record{value.GetTypeName(), RecordForm(value.GetForm()), make([]Field, len(fields))}
	names := make(map[string]struct{}, len(fields))
	for i, field := range fields {
		name := field.GetName()
		item, err := decodeOne(field.GetValue(), b, depth)
		if err != nil {
			return nil, err.at(".%s", cut(name, 80))
		}
		if !insert(names, name) {
			return nil, decodeError("a field comes twice").at(".%s", cut(name, 80))
		}
		made.Fields[i] = Field{name, item}
	}
	if made.Form < RecordUnspecified || made.Form > RecordAttrs {
		return nil, decodeError("a record has the unknown form %d", made.Form)
	}
	return made, nil
}

func decodeNested(data []byte, b *budget, depth int) (any, *ValueDecodeError) {
	// Each level holds a copy of all that is inside it: nesting at every level would multiply a message a hundredfold.
	if b.nested >= mostDepth/nestingStride+1 {
		return nil, decodeError("nested_value comes more often than every %d levels", nestingStride)
	}
	inner := new(pb.Value)
	if err := proto.Unmarshal(data, inner); err != nil {
		return nil, decodeError("a nested_value is not a serialized Value")
	}
	b.nested++
	made, err := decodeOne(inner, b, depth)
	b.nested--
	return made, err
}
