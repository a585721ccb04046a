// Package callgate calls Python functions that a Callgate server exposes.
//
//	gate, err := callgate.Dial("localhost:50051")
//	v, err := gate.CallFunction(ctx, "math", "sqrt", 16.0)                      // any, error
//	area, err := callgate.Call[float64](ctx, gate, "examples.shapes", "area", 2) // typed
//
// A call ends in one of two kinds of error, never mixed: a [*PythonError], when the function raised, and a [*GateError],
// when getting to the function failed. An argument that has no form on the wire is a [*ValueFormError], before anything
// is sent.
//
// # Values
//
// Values are exact: what arrives equals what was sent and has its type. What Go has no type for has a small one here.
//
//	Python                    arrives as                          also sent from
//	None                      nil                                 nil pointers
//	bool                      bool
//	int                       int64, beyond 64 bits *big.Int      every integer type
//	float                     float64                             float32
//	str                       string (UTF-8)                      named string types
//	str, lone surrogates      SurrogateString
//	bytes                     []byte                              [N]byte
//	list                      []float64, []int64, []bool,         slices and arrays of anything
//	                          []string if all elements are of
//	                          that type, else []any
//	tuple                     Tuple
//	set, frozenset            Set, FrozenSet                      map[K]struct{} (a set)
//	dict                      Dict (keeps the order)              maps, structs
//	complex                   complex128                          complex64
//	decimal.Decimal           Decimal
//	date, time, datetime      Date, TimeOfDay, DateTime           time.Time
//	timedelta                 TimeDelta                           time.Duration
//	uuid.UUID                 UUID                                any [16]byte type named UUID
//	numpy arrays and scalars  Tensor
//	pyarrow, pandas, polars   ArrowStream
//	dataclass, namedtuple,    Record                              structs that are tagged as records
//	Enum, pydantic, attrs
//
// [To] and [Call] convert them to the types you want, structs included; see there.
package callgate
