package callgate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// Tensor is a numpy array or scalar: a dense array of n dimensions.
type Tensor struct {
	// DType is the element type by numpy's name: "float64", "int8", "bool", "datetime64[ns]", "S5", "U3"; a long double's is
	// that of its format, "longdouble[x87]".
	DType string
	// Shape is the size of each dimension; none for a scalar, or an array of no dimension.
	Shape []int64
	// Data are the elements in C order, little-endian, without padding.
	Data []byte
	// Scalar is true for a numpy scalar, which is not an array of no dimension.
	Scalar bool
}

// TensorElement is a Go type that a numpy dtype of the same format exists for.
type TensorElement interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128
}

// NewTensor makes a tensor of elements in C order; without a shape it has one dimension.
func NewTensor[T TensorElement](elements []T, shape ...int64) (Tensor, error) {
	if len(shape) == 0 {
		shape = []int64{int64(len(elements))}
	}
	count := int64(1)
	for _, size := range shape {
		count *= size
	}
	if count != int64(len(elements)) {
		return Tensor{}, fmt.Errorf("a tensor of shape %v has %d elements, and %d were given", shape, count, len(elements))
	}
	var data bytes.Buffer
	if err := binary.Write(&data, binary.LittleEndian, elements); err != nil {
		return Tensor{}, err
	}
	return Tensor{DType: fmt.Sprintf("%T", *new(T)), Shape: shape, Data: data.Bytes()}, nil
}

// Elements returns a tensor's elements in C order; its dtype must be the one of T's name ("float64", "uint8").
func Elements[T TensorElement](t Tensor) ([]T, error) {
	if wanted := fmt.Sprintf("%T", *new(T)); t.DType != wanted {
		return nil, fmt.Errorf("a tensor of %s has no elements of type %s", t.DType, wanted)
	}
	made := make([]T, len(t.Data)/binary.Size(*new(T)))
	if err := binary.Read(bytes.NewReader(t.Data), binary.LittleEndian, made); err != nil {
		return nil, err
	}
	return made, nil
}

var (
	timeUnits  = regexp.MustCompile(`^(?:datetime64|timedelta64)(?:\[(?:[1-9]\d{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?$`)
	fixedWidth = regexp.MustCompile(`^[SU](?:0|[1-9]\d{0,8})$`)
)

// elementSizes are bytes an element takes, by the dtypes of numpy and ml_dtypes.
var elementSizes = map[string]int64{
	"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
	"float16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16, "bfloat16": 2, "float8_e3m4": 1,
	"float8_e4m3": 1, "float8_e4m3b11fnuz": 1, "float8_e4m3fn": 1, "float8_e4m3fnuz": 1, "float8_e5m2": 1,
	"float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
	// Long doubles, named by their format; see docs/adr/0009-long-doubles.md.
	x87: 10, "longdouble[binary128]": 16, "longdouble[double-double]": 16,
	x87Complex: 20, "clongdouble[binary128]": 32, "clongdouble[double-double]": 32,
}

const x87, x87Complex = "longdouble[x87]", "clongdouble[x87]"

func elementSize(dtype string) (int64, bool) {
	if size, ok := elementSizes[dtype]; ok {
		return size, true
	}
	if len(dtype) <= 32 {
		if timeUnits.MatchString(dtype) {
			return 8, true
		}
		if fixedWidth.MatchString(dtype) {
			width, _ := strconv.ParseInt(dtype[1:], 10, 64)
			if dtype[0] == 'U' {
				width *= 4
			}
			return width, true
		}
	}
	return 0, false
}

// check tells what is wrong with a tensor, "" if nothing is.
func (t Tensor) check() string {
	size, known := elementSize(t.DType)
	if !known {
		return "a tensor has an unknown dtype: " + shortKey(t.DType)
	}
	if len(t.Shape) > 32 { // numpy 1's limit
		return fmt.Sprintf("a tensor has %d dimensions; at most 32 are right", len(t.Shape))
	}
	if t.Scalar && len(t.Shape) > 0 {
		return "a tensor is said to be a scalar and has a shape"
	}
	count, empty := int64(1), false
	for _, n := range t.Shape {
		if n < 0 {
			return fmt.Sprintf("a tensor has the shape %s; 0 or more is right for each dimension", shapeText(t.Shape))
		}
		empty = empty || n == 0
	}
	if empty {
		count = 0
	}
	for _, n := range t.Shape {
		if count != 0 && n > math.MaxInt64/16/count/max(1, size) {
			return fmt.Sprintf("a tensor of shape %s is larger than any memory", shapeText(t.Shape))
		}
		count *= n
	}
	if count*size != int64(len(t.Data)) {
		return fmt.Sprintf("a tensor of shape %s and dtype %s takes %d bytes, and has %d",
			shapeText(t.Shape), t.DType, count*size, len(t.Data))
	}
	if size == 0 && count > mostElements { // no bytes stand for the elements: only this bounds them
		return "a tensor of elements without width has too many of them"
	}
	if t.DType == x87 || t.DType == x87Complex {
		return t.checkX87(int(size))
	}
	return ""
}

// checkX87 refuses bit patterns that are no numbers: the format writes the leading bit of the significand out, which may
// contradict the exponent. No operation makes them, and libraries disagree about what they are.
func (t Tensor) checkX87(size int) string {
	for at := 0; at+10 <= len(t.Data); at += 10 {
		number := t.Data[at : at+10]
		if exponent := binary.LittleEndian.Uint16(number[8:]) & 0x7FFF; (number[7]&0x80 != 0) != (exponent != 0) {
			return fmt.Sprintf("element %d of a tensor is no number of its format: its leading bit contradicts its exponent", at/size)
		}
	}
	return ""
}

func shapeText(shape []int64) string {
	return cut("("+strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ", ")+")", 80)
}

func decodeTensor(value *pb.Tensor) (any, *ValueDecodeError) {
	made := Tensor{value.GetDtype(), value.GetShape(), notNil(value.GetData()), value.GetScalar()}
	if problem := made.check(); problem != "" {
		return nil, decodeError("%s", problem)
	}
	return made, nil
}
