package callgate

import (
	"errors"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

type colour string

type line struct {
	Name      string
	UnitPrice float64 `callgate:"price"`
	Quantity  int     `callgate:"quantity,omitempty"`
	Secret    string  `callgate:"-"`
	//lint:ignore U1000 that it is not sent is what is tested
	hidden int
}

type base struct{ OrderID int64 }

type order struct {
	base
	Lines    []line
	Customer *string
}

type point struct {
	_    struct{} `callgate:"record=shapes:Point"`
	X, Y float64
}

type googleUUID [16]byte

// UUID is what other libraries call theirs.
type other struct{}

func (other) id() any {
	type UUID [16]byte
	return UUID{15: 1}
}

// through sends a value through the wire's form and back.
func through(t *testing.T, value any) any {
	t.Helper()
	encoded, err := Encode(value)
	if err != nil {
		t.Fatalf("%#v: %v", value, err)
	}
	decoded, err := Decode(encoded)
	if err != nil {
		t.Fatalf("%#v: %v", value, err)
	}
	return decoded
}

func TestGoValuesBecomePythonOnes(t *testing.T) {
	name := "Ada"
	var nilPointer *line
	var nilError error
	beyond, _ := new(big.Int).SetString("18446744073709551615", 10)
	for label, one := range map[string]struct{ value, wanted any }{
		"a nil pointer":            {nilPointer, nil},
		"a nil interface":          {nilError, nil},
		"a nil big.Int":            {(*big.Int)(nil), nil},
		"a nil slice":              {[]any(nil), []any{}},
		"a nil slice of a type":    {[]line(nil), []any{}},
		"a nil map":                {map[string]any(nil), Dict{}},
		"nil bytes":                {[]byte(nil), []byte{}},
		"int8":                     {int8(-3), int64(-3)},
		"uint64 within":            {uint64(3), int64(3)},
		"uint64 beyond":            {uint64(math.MaxUint64), beyond},
		"a big.Int within":         {big.NewInt(7), int64(7)},
		"float32":                  {float32(0.5), 0.5},
		"complex64":                {complex64(1i), 1i},
		"a named string":           {colour("red"), "red"},
		"a pointer to a pointer":   {new(&name), "Ada"},
		"ints pack":                {[]any{1, int64(2)}, []int64{1, 2}},
		"sized ints pack":          {[]uint16{1, 2}, []int64{1, 2}},
		"float32s pack":            {[]float32{0.5}, []float64{0.5}},
		"named strings pack":       {[]colour{"red"}, []string{"red"}},
		"bools and ints do not":    {[]any{true, 1}, []any{true, int64(1)}},
		"one int beyond":           {[]uint64{1, math.MaxUint64}, []any{int64(1), beyond}},
		"an array":                 {[2]int{1, 2}, []int64{1, 2}},
		"an array of bytes":        {[2]byte{1, 2}, []byte{1, 2}},
		"another library's UUID":   {other{}.id(), UUID{15: 1}},
		"16 bytes of another name": {googleUUID{15: 1}, make([]byte, 15, 16)},
		"a map is sorted":          {map[string]int{"b": 2, "a": 1}, Dict{{"a", int64(1)}, {"b", int64(2)}}},
		"a map of ints":            {map[int]string{1: "x"}, Dict{{int64(1), "x"}}},
		"a set":                    {map[int]struct{}{1: {}}, Set{int64(1)}},
		"a struct":                 {line{Name: "apple", UnitPrice: 0.4, Secret: "s"}, Dict{{"name", "apple"}, {"price", 0.4}}},
		"a struct of structs": {&order{base{7}, []line{{Name: "a", Quantity: 2}}, &name}, Dict{{"order_id", int64(7)},
			{"lines", []any{Dict{{"name", "a"}, {"price", 0.0}, {"quantity", int64(2)}}}}, {"customer", "Ada"}}},
		"a struct as a record": {point{X: 1, Y: 2}, Record{"shapes:Point", RecordUnspecified, []Field{{"x", 1.0}, {"y", 2.0}}}},
		"an empty struct":      {struct{}{}, Dict{}},
		"a Duration":           {-time.Second, TimeDelta{-1, 86399, 0}},
		"a Duration's rest":    {-time.Nanosecond, TimeDelta{-1, 86399, 999999}},
		"an unbalanced span":   {TimeDelta{0, 90_000, 0}, TimeDelta{1, 3600, 0}},
		"a decimal":            {Decimal("1e3"), Decimal("1E+3")},
		"text without any":     {SurrogateString("plain"), "plain"},
	} {
		t.Run(label, func(t *testing.T) {
			got := through(t, one.value)
			if label == "16 bytes of another name" {
				one.wanted = append(one.wanted.([]byte), 1)
			}
			if !reflect.DeepEqual(got, one.wanted) {
				t.Errorf("got %#v, wanted %#v", got, one.wanted)
			}
		})
	}
}

func TestWhatHasNoFormIsRefusedWithItsPlace(t *testing.T) {
	type loop struct{ Next *loop }
	own := &loop{}
	own.Next = own
	var pointer any
	pointer = &pointer
	for label, one := range map[string]struct {
		value any
		path  string
		said  string
	}{
		"a function":             {[]any{1, func() {}}, "value[1]", "func() has no form on the wire"},
		"a channel in a map":     {map[string]any{"c": make(chan int)}, "value['c']", "chan int has no form"},
		"an error":               {errors.New("x"), "value", "errors.errorString has no form"},
		"a rational number":      {big.NewRat(1, 2), "value", "use a Decimal"},
		"no UTF-8":               {[]string{"a", "\xff"}, "value[1]", "not UTF-8"},
		"no UTF-8 as a key":      {map[string]any{"\xff": 1}, `value.key('\xff')`, "not UTF-8"},
		"in a struct":            {order{Lines: []line{{Name: "\xff"}}}, "value['lines'][0]['name']", "not UTF-8"},
		"in a record":            {Record{Fields: []Field{{"x", func() {}}}}, "value.x", "has no form"},
		"a struct of itself":     {own, "", "nested more than 100 levels"},
		"a pointer to itself":    {pointer, "", ""},
		"a key twice":            {Dict{{1, 1}, {1.0, 2}}, "value.key(1.0)", "this key comes twice"},
		"a key without a hash":   {Dict{{[]any{}, 1}}, "value.key(<list>)", "not hashable"},
		"an element twice":       {Set{1, true}, "value[1]", "this element twice"},
		"an element without one": {Set{Dict{}}, "value[0]", "not hashable"},
		"a bad decimal":          {Decimal("1,5"), "value", "no decimal number"},
		"a bad date":             {Date{2023, 2, 29}, "value", "no such date"},
		"a bad tensor":           {Tensor{DType: "int8", Shape: []int64{2}}, "value", "takes 2 bytes, and has 0"},
		"a bad surrogate string": {SurrogateString("\xff"), "value", "is not WTF-8"},
	} {
		t.Run(label, func(t *testing.T) {
			_, err := Encode(one.value)
			var refused *ValueFormError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			if (one.path != "" && refused.Path != one.path) || !strings.Contains(refused.Problem, one.said) {
				t.Errorf("%s: %s; wanted %s: %s", refused.Path, refused.Problem, one.path, one.said)
			}
		})
	}
}

func TestABadArgumentIsNamed(t *testing.T) {
	_, err := newRequest("m", "f", []any{1, Kwargs{"a": []any{0, make(chan int)}}})
	if err == nil || !strings.HasPrefix(err.Error(), "kwargs['a'][1]: chan int has no form") {
		t.Errorf("got %v", err)
	}
	_, err = newRequest("m", "f", []any{Kwargs{"a": 1}, 2, func() {}})
	if err == nil || !strings.HasPrefix(err.Error(), "args[1]: func() has no form") {
		t.Errorf("got %v", err)
	}
	if _, err = newRequest("m", "f", []any{Kwargs{"a": 1}, Kwargs{"a": 1}}); err == nil {
		t.Error("a keyword argument was taken twice")
	}
	if _, err = newRequest("\xff", "f", nil); err == nil {
		t.Error("a name that is not UTF-8 was taken")
	}
}

func TestWhatIsChangedLaterIsNotSent(t *testing.T) {
	data := []byte{1, 2}
	request, err := newRequest("m", "f", []any{data})
	if err != nil {
		t.Fatal(err)
	}
	frame, err := frameOf(request, 100)
	if err != nil {
		t.Fatal(err)
	}
	before := string(frame)
	data[0] = 9
	if string(frame) != before {
		t.Error("a framed call changed with its argument")
	}
}

func TestTensorsOfGoNumbers(t *testing.T) {
	made, err := NewTensor([]int32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	back, ok := through(t, made).(Tensor)
	if !ok || back.DType != "int32" || len(back.Data) != 24 {
		t.Fatalf("got %#v", back)
	}
	elements, err := Elements[int32](back)
	if err != nil || !reflect.DeepEqual(elements, []int32{1, 2, 3, 4, 5, 6}) {
		t.Errorf("got %v, %v", elements, err)
	}
	if _, err := Elements[float64](back); err == nil {
		t.Error("ints were read as floats")
	}
	if _, err := NewTensor([]bool{true}, 2); err == nil {
		t.Error("a tensor was made of too few elements")
	}
}

func TestDecimals(t *testing.T) {
	for text, wanted := range map[string]string{"1.50": "1.50", ".5": "0.5", "1.": "1", "-0e3": "-0E+3", "0.0000001": "1E-7",
		"123E-2": "1.23", "1e-6": "0.000001", "nan": "NaN", "-sNAN0012": "-sNaN12", "INFINITY": "Infinity", "12e5": "1.2E+6",
		"0.1E1000000000000000000": "1E+999999999999999999", "1E-1999999999999999997": "1E-1999999999999999997"} {
		if got, err := ParseDecimal(text); err != nil || string(got) != wanted {
			t.Errorf("%s: %s, %v; wanted %s", text, got, err, wanted)
		}
	}
	for _, text := range []string{"", "-", ".", "1_0", " 1", "+1", "1e", "Infinity1", "٣",
		"12E999999999999999999", "1E1000000000000000000", "0.1E-1999999999999999997"} {
		if got, err := ParseDecimal(text); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
	if half, ok := Decimal("0.50").Rat(); !ok || half.Cmp(big.NewRat(1, 2)) != 0 {
		t.Errorf("0.50 is %v", half)
	}
	for _, text := range []Decimal{"NaN", "-Infinity", "1E+99999999"} {
		if _, ok := text.Rat(); ok {
			t.Errorf("%s has a Rat", text)
		}
	}
}
