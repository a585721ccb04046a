package callgate

import (
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

func converts[T any](t *testing.T, value any, wanted T) {
	t.Helper()
	got, err := To[T](value)
	if err != nil || !reflect.DeepEqual(got, wanted) {
		t.Errorf("%#v as %T: %#v, %v; wanted %#v", value, wanted, got, err, wanted)
	}
}

func refuses[T any](t *testing.T, value any, said string) {
	t.Helper()
	got, err := To[T](value)
	var refused *ConversionError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), said) {
		t.Errorf("%#v: %#v, %v; wanted %q", value, got, err, said)
	}
	if !reflect.ValueOf(&got).Elem().IsZero() {
		t.Errorf("%#v came beside the error", got)
	}
}

func TestResultsBecomeTheTypeThatIsAskedFor(t *testing.T) {
	huge, _ := new(big.Int).SetString("99999999999999999999", 10)
	name := "Ada"
	converts(t, int64(4), 4.0)
	converts(t, int64(4), 4)
	converts(t, int64(4), uint8(4))
	converts(t, 0.5, float32(0.5))
	converts(t, int64(2), 2+0i)
	converts(t, int64(7), big.NewInt(7))
	converts(t, huge, huge)
	converts(t, huge, *huge)
	converts(t, "red", colour("red"))
	converts(t, "Ada", &name)
	converts[*string](t, nil, nil)
	converts[any](t, nil, nil)
	converts[map[string]int](t, nil, nil)
	converts(t, any([]float64{1, 2}), []float64{1, 2})
	converts(t, []int64{1, 2}, []float64{1, 2})
	converts(t, []int64{1, 2}, [2]int8{1, 2})
	converts(t, []any{}, []string{})
	converts(t, Tuple{int64(1), "a"}, []any{int64(1), "a"})
	converts(t, Set{"a"}, map[string]struct{}{"a": {}})
	converts(t, FrozenSet{int64(1)}, []int{1})
	converts(t, Dict{{"a", int64(1)}}, map[string]int{"a": 1})
	converts(t, Dict{{int64(1), "x"}}, map[int]string{1: "x"})
	converts(t, Dict{{"a", Dict{}}}, map[string]any{"a": Dict{}})
	converts(t, Record{Fields: []Field{{"a", int64(1)}}}, map[string]int{"a": 1})
	converts(t, TimeDelta{0, 1, 500_000}, 1500*time.Millisecond)
	converts(t, []byte("ab"), [2]byte{'a', 'b'})
	converts(t, Record{"m:C", RecordEnum, []Field{{"name", "RED"}, {"value", int64(1)}}}, 1)
	converts(t, Record{"m:C", RecordEnum, []Field{{"name", "RED"}, {"value", int64(1)}}}, colour("RED"))
	converts(t, Record{"m:C", RecordEnum, []Field{{"name", "RED"}, {"value", "red"}}}, colour("red"))
	type UUID [16]byte
	converts(t, any(through(t, UUID{3: 1})), UUID{3: 1})
}

func TestWhatDoesNotFitIsRefusedWithItsPlace(t *testing.T) {
	refuses[int](t, 2.0, "2.0 is of type float, and int is wanted")
	refuses[int8](t, int64(300), "300 is beyond what int8 holds")
	refuses[uint](t, int64(-1), "-1 is beyond")
	refuses[int64](t, new(big.Int).Lsh(big.NewInt(1), 70), "beyond what int64 holds")
	refuses[float64](t, int64(1<<53+1), "no float64 is equal to")
	refuses[float64](t, int64(1<<63-1), "no float64 is equal to")
	refuses[float32](t, int64(1<<24+1), "no float32 is equal to")
	refuses[float32](t, 1e300, "beyond what float32 holds")
	refuses[string](t, Decimal("1.5"), "1.5 is of type Decimal, and string is wanted")
	refuses[Decimal](t, "1.5", "is of type str")
	refuses[bool](t, int64(1), "is of type int")
	refuses[string](t, nil, "None is of type None")
	refuses[[2]int](t, []int64{1}, "a list of 1 elements does not fit")
	refuses[[]int](t, []any{int64(1), "x"}, "result[1]: 'x' is of type str")
	refuses[map[string]int](t, Dict{{"a", "x"}}, "result['a']: 'x' is of type str")
	refuses[map[string]int](t, Dict{{int64(1), int64(1)}}, "result.key(1)")
	refuses[map[any]int](t, Dict{{Tuple{}, int64(1)}}, "is no key of a Go map")
	refuses[Tuple](t, []any{}, "callgate.Tuple is wanted")
	refuses[time.Duration](t, TimeDelta{Days: 200_000}, "beyond what time.Duration holds")
	refuses[time.Time](t, DateTime{Date: Date{2024, 1, 1}}, "naive")
	refuses[order](t, Dict{{"lines", []any{Dict{{"price", "dear"}}}}}, "result['lines'][0]['price']: 'dear' is of type str")
	refuses[line](t, "apple", "'apple' is of type str, and callgate.line is wanted")
	refuses[func()](t, "apple", "func() is wanted")
}

func TestStructsAreFilledByName(t *testing.T) {
	got, err := To[order](Dict{{"order_id", int64(7)}, {"customer", nil}, {"unknown", 1.0},
		{"lines", []any{Record{Fields: []Field{{"name", "a"}, {"price", int64(2)}, {"Secret", "s"}, {"-", "s"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if wanted := (order{base{7}, []line{{Name: "a", UnitPrice: 2}}, nil}); !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %+v", got)
	}
	back, err := To[point](through(t, point{X: 1, Y: 2}))
	if err != nil || back != (point{X: 1, Y: 2}) {
		t.Errorf("got %+v, %v", back, err)
	}
}

func TestNamesInPython(t *testing.T) {
	for name, wanted := range map[string]string{"Name": "name", "UnitPrice": "unit_price", "HTTPServer": "http_server",
		"ID": "id", "OrderID": "order_id", "X": "x", "Already_snake": "already_snake", "Größe": "größe"} {
		if got := snakeCase(name); got != wanted {
			t.Errorf("%s: %s, wanted %s", name, got, wanted)
		}
	}
}

func TestTimesKeepTheirInstantAndZone(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	second := time.Date(2024, 10, 27, 0, 30, 0, 0, time.UTC).Add(time.Hour).In(paris) // 02:30 again
	for _, one := range []struct {
		at     time.Time
		wanted Zone
		fold   bool
	}{
		{time.Date(2024, 2, 29, 12, 30, 0, 5000, time.UTC), Zone{}, false},
		{second, Zone{Offset: TimeDelta{Seconds: 3600}, Key: "Europe/Paris"}, true},
		{second.Add(-time.Hour), Zone{Offset: TimeDelta{Seconds: 7200}, Key: "Europe/Paris"}, false},
		{second.Add(time.Hour), Zone{Offset: TimeDelta{Seconds: 3600}, Key: "Europe/Paris"}, false},
		{time.Date(2024, 2, 29, 0, 0, 0, 0, time.FixedZone("EST", -5*3600)), Zone{Offset: TimeDelta{Days: -1, Seconds: 68400}, Name: "EST"}, false},
		{time.Date(2024, 2, 29, 0, 0, 0, 0, time.FixedZone("", 3600)), Zone{Offset: TimeDelta{Seconds: 3600}}, false},
	} {
		made, ok := through(t, one.at).(DateTime)
		if !ok || *made.Time.Zone != one.wanted || made.Time.Fold != one.fold {
			t.Errorf("%s became %s, %+v, fold %t", one.at, made, *made.Time.Zone, made.Time.Fold)
		}
		back, err := To[time.Time](made)
		if err != nil || !back.Equal(one.at) || back.Format(time.RFC3339Nano) != one.at.Format(time.RFC3339Nano) {
			t.Errorf("%s came back as %s, %v", one.at, back, err)
		}
	}
}

func TestADictIsLookedUpAsPythonWould(t *testing.T) {
	dict := Dict{{"a", "text"}, {int64(1), "one"}, {Tuple{int64(1), "x"}, "pair"}, {nil, "none"}}
	for _, one := range []struct{ key, wanted any }{{"a", "text"}, {1, "one"}, {1.0, "one"}, {true, "one"},
		{Decimal("1.0"), "one"}, {Tuple{1, "x"}, "pair"}, {nil, "none"}, {"b", nil}, {[]any{}, nil}} {
		if got := dict.Get(one.key); got != one.wanted {
			t.Errorf("%#v: %v, wanted %v", one.key, got, one.wanted)
		}
	}
}
