package callgate

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

func text(s string) *pb.Value {
	return &pb.Value{Kind: &pb.Value_StringValue{StringValue: s}}
}

func listOf(values ...*pb.Value) *pb.Value { return ofList(&pb.ListValue{Values: values}) }

func mapOf(keys []string, values ...*pb.Value) *pb.Value {
	return &pb.Value{Kind: &pb.Value_StringMap{StringMap: &pb.StringMap{Keys: keys, Values: values}}}
}

func setOf(values ...*pb.Value) *pb.Value {
	return &pb.Value{Kind: &pb.Value_SetValue{SetValue: &pb.ListValue{Values: values}}}
}

func entriesOf(entries ...*pb.MapEntry) *pb.Value {
	return &pb.Value{Kind: &pb.Value_MapValue{MapValue: &pb.MapValue{Entries: entries}}}
}

func double(v float64) *pb.Value {
	return &pb.Value{Kind: &pb.Value_DoubleValue{DoubleValue: v}}
}

func tensor(dtype string, shape []int64, data []byte, scalar bool) *pb.Value {
	return &pb.Value{Kind: &pb.Value_TensorValue{TensorValue: &pb.Tensor{Dtype: dtype, Shape: shape, Data: data, Scalar: scalar}}}
}

func deep(levels int, inner *pb.Value, wrap func(*pb.Value) *pb.Value) *pb.Value {
	for range levels {
		inner = wrap(inner)
	}
	return inner
}

func inBytes(inner *pb.Value) *pb.Value {
	data, _ := proto.Marshal(inner)
	return &pb.Value{Kind: &pb.Value_NestedValue{NestedValue: data}}
}

func aTime(hour, micro int32, zone *pb.TimeZone) *pb.Value {
	return &pb.Value{Kind: &pb.Value_TimeValue{TimeValue: &pb.TimeOfDay{Hour: hour, Microsecond: micro, TimeZone: zone}}}
}

func TestBadValuesAreRefusedWithTheirPlace(t *testing.T) {
	empty := &pb.Value{}
	inList := func(v *pb.Value) *pb.Value { return listOf(v) }
	day := func(offset int32) *pb.TimeDelta { return &pb.TimeDelta{Days: offset} }
	for name, one := range map[string]struct {
		value *pb.Value
		said  string
	}{
		"no kind":                     {empty, "result: a Value with no kind set"},
		"no kind inside":              {listOf(text("a"), ofInt(1), text("b"), mapOf([]string{"model"}, empty)), "result[3]['model']: a Value with no kind"},
		"no kind in a record":         {&pb.Value{Kind: &pb.Value_RecordValue{RecordValue: &pb.Record{Fields: []*pb.RecordField{{Name: "price"}}}}}, "result.price: a Value with no kind"},
		"a key twice":                 {mapOf([]string{"a", "a"}, ofInt(1), ofInt(2)), "a key comes twice in a string_map"},
		"a key twice among many":      {mapOf(strings.Split("abcdefghija", ""), make11(ofInt(1))...), "a key comes twice"},
		"unequal lengths":             {mapOf([]string{"a"}), "a string_map has 1 keys and 0 values"},
		"1 and 1.0 as keys":           {entriesOf(&pb.MapEntry{Key: ofInt(1), Value: ofInt(1)}, &pb.MapEntry{Key: double(1), Value: ofInt(1)}), "a key comes twice"},
		"a list as a key":             {entriesOf(&pb.MapEntry{Key: listOf(), Value: ofInt(1)}), "a key is not hashable: unhashable type: list"},
		"a bad key":                   {entriesOf(&pb.MapEntry{Key: ofInt(1), Value: ofInt(1)}, &pb.MapEntry{Value: ofInt(1)}), "result.key(1): a Value with no kind"},
		"an element twice":            {setOf(ofInt(1), &pb.Value{Kind: &pb.Value_BoolValue{BoolValue: true}}), "a set has an element twice"},
		"a set in a set":              {setOf(setOf()), "an element of a set is not hashable"},
		"a field twice":               {&pb.Value{Kind: &pb.Value_RecordValue{RecordValue: &pb.Record{Fields: []*pb.RecordField{{Name: "x", Value: ofInt(1)}, {Name: "x", Value: ofInt(1)}}}}}, "result.x: a field comes twice"},
		"an unknown form":             {&pb.Value{Kind: &pb.Value_RecordValue{RecordValue: &pb.Record{Form: 77}}}, "unknown form 77"},
		"an unknown Arrow form":       {&pb.Value{Kind: &pb.Value_ArrowValue{ArrowValue: &pb.Arrow{Form: 77}}}, "unknown form 77"},
		"malformed nested bytes":      {&pb.Value{Kind: &pb.Value_NestedValue{NestedValue: []byte{0xff}}}, "a nested_value is not a serialized Value"},
		"too deep":                    {deep(101, text("x"), inList), "nested more than 100 levels deep"},
		"too deep, hidden in bytes":   {deep(5, deep(21, text("x"), inList), func(v *pb.Value) *pb.Value { return deep(21, inBytes(v), inList) }), "nested more than 100 levels deep"},
		"bytes at every level":        {deep(7, text("x"), inBytes), "nested_value comes more often"},
		"an empty big int":            {&pb.Value{Kind: &pb.Value_BigIntValue{}}, "a big_int_value is empty"},
		"no WTF-8":                    {&pb.Value{Kind: &pb.Value_SurrogateStringValue{SurrogateStringValue: []byte("a\xff")}}, "byte 1 begins no character"},
		"no decimal":                  {&pb.Value{Kind: &pb.Value_DecimalValue{DecimalValue: "1_000"}}, "is no decimal number"},
		"a decimal out of range":      {&pb.Value{Kind: &pb.Value_DecimalValue{DecimalValue: "1E9999999999999999999"}}, "is out of range"},
		"a short uuid":                {&pb.Value{Kind: &pb.Value_UuidValue{UuidValue: []byte("short")}}, "a uuid_value has 5 bytes"},
		"the 30th of February":        {&pb.Value{Kind: &pb.Value_DateValue{DateValue: &pb.Date{Year: 2024, Month: 2, Day: 30}}}, "no such date"},
		"the year 0":                  {&pb.Value{Kind: &pb.Value_DatetimeValue{DatetimeValue: &pb.DateTime{}}}, "no such date"},
		"24 o'clock":                  {aTime(24, 0, nil), "no such time"},
		"a million microseconds":      {aTime(0, 1_000_000, nil), "no such time"},
		"a zone that is a path":       {aTime(0, 0, &pb.TimeZone{Key: "../../etc/passwd", UtcOffset: day(0)}), "is no key of the IANA"},
		"an offset of a day":          {aTime(0, 0, &pb.TimeZone{UtcOffset: day(1)}), "strictly between -24 and 24 hours"},
		"an offset of minus a day":    {aTime(0, 0, &pb.TimeZone{UtcOffset: day(-1)}), "strictly between -24 and 24 hours"},
		"a span of a billion days":    {&pb.Value{Kind: &pb.Value_TimedeltaValue{TimedeltaValue: &pb.TimeDelta{Days: 1_000_000_000}}}, "beyond 999,999,999 days"},
		"a tensor of objects":         {tensor("object", nil, nil, false), "unknown dtype: 'object'"},
		"a tensor too short":          {tensor("float64", []int64{2}, make([]byte, 8), false), "takes 16 bytes, and has 8"},
		"a tensor of negative size":   {tensor("int8", []int64{-1}, nil, false), "0 or more is right"},
		"a tensor of 2**80 elements":  {tensor("int8", []int64{1 << 40, 1 << 40}, nil, false), "larger than any memory"},
		"a tensor of no width":        {tensor("S0", []int64{1 << 40}, nil, false), "without width"},
		"a scalar with a shape":       {tensor("int8", []int64{1}, []byte{1}, true), "said to be a scalar"},
		"33 dimensions":               {tensor("int8", make([]int64, 33), nil, false), "at most 32"},
		"a pseudo-infinity":           {tensor(x87, []int64{2}, append(make([]byte, 18), 0xFF, 0x7F), false), "element 1 of a tensor is no number"},
		"an x87 number in two halves": {tensor(x87Complex, []int64{1}, make([]byte, 10), false), "takes 20 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := Decode(one.value)
			var refused *ValueDecodeError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), one.said) {
				t.Errorf("got %#v and %v; wanted %q", made, err, one.said)
			}
		})
	}
}

func make11(value *pb.Value) []*pb.Value {
	made := make([]*pb.Value, 11)
	for i := range made {
		made[i] = value
	}
	return made
}

func TestAHundredLevelsAreTaken(t *testing.T) {
	plain := deep(100, text("x"), func(v *pb.Value) *pb.Value { return listOf(v) })
	decoded, err := Decode(plain)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := Encode(decoded)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	levels := 0
	for value := again; ; levels++ {
		list, ok := value.([]any)
		if !ok {
			break
		}
		value = list[0]
	}
	if levels != 99 { // and the innermost, which is a []string
		t.Errorf("%d levels came back", levels)
	}
	if _, err := Encode([]any{decoded}); err == nil || !strings.Contains(err.Error(), "nested more than 100 levels") {
		t.Errorf("101 levels: %v", err)
	}
}

func TestAllElementsCountTogether(t *testing.T) {
	million := &pb.Value{Kind: &pb.Value_BoolList{BoolList: &pb.BoolList{Values: make([]bool, 1_000_000)}}}
	var lists []*pb.Value
	for range 10 {
		lists = append(lists, million)
	}
	var refused *ValueDecodeError
	if _, err := Decode(listOf(lists...)); !errors.As(err, &refused) || refused.Limit != mostElements {
		t.Errorf("got %v", err)
	}
	if _, err := Decode(listOf(lists[:9]...)); err != nil {
		t.Error(err)
	}
}

func TestNotANumberIsNeverADuplicate(t *testing.T) {
	nan := parsed(t, "29000000000000f87f")
	made, err := Decode(setOf(nan, nan))
	if set, ok := made.(Set); err != nil || !ok || len(set) != 2 {
		t.Errorf("got %v, %v", made, err)
	}
}
