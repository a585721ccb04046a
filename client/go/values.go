package callgate

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Tuple is a Python tuple.
type Tuple []any

// Set is a Python set: no element twice, in no particular order.
type Set []any

// FrozenSet is a Python frozenset: a set that can be a key, or an element of a set.
type FrozenSet []any

// Entry is one key of a [Dict] and its value.
type Entry struct {
	// Key is any value that Python can hash.
	Key any
	// Value is what the key stands for.
	Value any
}

// Dict is a Python dict, its order kept. No key comes twice; [Call] and [To] make maps and structs of it.
type Dict []Entry

// Lookup returns the value of a key that equals key as Python compares (1, 1.0 and true are equal), and whether there is
// one. It takes the time of a look at each entry; convert large dicts to maps with [To].
func (d Dict) Lookup(key any) (any, bool) {
	if text, ok := key.(string); ok {
		for i := range d {
			if own, ok := d[i].Key.(string); ok && own == text {
				return d[i].Value, true
			}
		}
		return nil, false
	}
	wanted, err := identityOf(key)
	if err != nil {
		return nil, false
	}
	for i := range d {
		if own, err := identityOf(d[i].Key); err == nil && own == wanted {
			return d[i].Value, true
		}
	}
	return nil, false
}

// Get returns the value of a key, nil if there is none; see [Dict.Lookup].
func (d Dict) Get(key any) any {
	value, _ := d.Lookup(key)
	return value
}

// SurrogateString is a Python str with lone surrogates (the name of a file that is no UTF-8, mostly), which no Go string
// of UTF-8 can hold: each surrogate is encoded as if it were a character (WTF-8, Python's "surrogatepass").
type SurrogateString string

// UUID is a Python uuid.UUID, big-endian.
type UUID [16]byte

// String returns the UUID as "12345678-1234-5678-1234-567812345678".
func (u UUID) String() string {
	text := hex.EncodeToString(u[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// ParseUUID reads a UUID from 32 hexadecimal digits, with or without hyphens.
func ParseUUID(text string) (UUID, error) {
	var made UUID
	digits := strings.ReplaceAll(text, "-", "")
	if len(digits) != 32 {
		return made, fmt.Errorf("%.60q is no UUID: 32 hexadecimal digits are right", text)
	}
	if _, err := hex.Decode(made[:], []byte(digits)); err != nil {
		return made, fmt.Errorf("%.60q is no UUID: %w", text, err)
	}
	return made, nil
}

// RecordForm says which Python idiom a [Record] came from.
type RecordForm int32

// The forms of a Record, by the numbers of callgate.v1.RecordForm.
const (
	// RecordUnspecified is some client's struct.
	RecordUnspecified RecordForm = iota
	// RecordDataclass is a dataclass.
	RecordDataclass
	// RecordNamedTuple is a namedtuple.
	RecordNamedTuple
	// RecordEnum is an Enum's member, with the fields "name" and "value".
	RecordEnum
	// RecordPydantic is a pydantic model.
	RecordPydantic
	// RecordAttrs is an attrs class.
	RecordAttrs
)

// Field is one field of a [Record].
type Field struct {
	// Name is the field's name.
	Name string
	// Value is the field's value.
	Value any
}

// Record is an instance of a named Python type: a dataclass, namedtuple, Enum member, pydantic model or attrs class.
// [Call] and [To] make structs of it.
type Record struct {
	// TypeName is the type, "module:Qualified.name".
	TypeName string
	// Form is which Python idiom the type is.
	Form RecordForm
	// Fields are the fields in their order.
	Fields []Field
}

// Lookup returns the value of a field, and whether there is one of that name.
func (r Record) Lookup(name string) (any, bool) {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return r.Fields[i].Value, true
		}
	}
	return nil, false
}

// Get returns the value of a field, nil if there is none of that name.
func (r Record) Get(name string) any {
	value, _ := r.Lookup(name)
	return value
}

// ArrowForm says what an [ArrowStream] stood for.
type ArrowForm int32

// The forms of an ArrowStream, by the numbers of callgate.v1.ArrowForm.
const (
	// ArrowUnspecified is a pyarrow.Table.
	ArrowUnspecified ArrowForm = iota
	// ArrowTable is a pyarrow.Table.
	ArrowTable
	// ArrowRecordBatch is a pyarrow.RecordBatch: the stream has one batch.
	ArrowRecordBatch
	// ArrowArray is a pyarrow.Array: the stream has one batch of one column.
	ArrowArray
	// ArrowPandasDataFrame is a pandas.DataFrame.
	ArrowPandasDataFrame
	// ArrowPolarsDataFrame is a polars.DataFrame.
	ArrowPolarsDataFrame
	// ArrowChunkedArray is a pyarrow.ChunkedArray: the stream has one batch a chunk, of one column.
	ArrowChunkedArray
	// ArrowPandasSeries is a pandas.Series, as a one-column frame.
	ArrowPandasSeries
	// ArrowPolarsSeries is a polars.Series, as a one-column frame.
	ArrowPolarsSeries
)

// ArrowStream is Arrow data, as an IPC stream: read it with an Arrow library for Go.
type ArrowStream struct {
	// IPCStream is the stream: schema, dictionaries, record batches.
	IPCStream []byte
	// Form is what the stream stood for.
	Form ArrowForm
}
