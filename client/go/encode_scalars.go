package callgate

import (
	"math"
	"math/big"
	"time"
	"unicode/utf8"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// encodeScalar encodes the types of one piece that are this package's, or the standard library's.
func encodeScalar(value any) (made *pb.Value, err *ValueFormError, ok bool) {
	problem := ""
	switch v := value.(type) {
	case *big.Int:
		if v == nil {
			return &pb.Value{Kind: &pb.Value_NullValue{}}, nil, true
		}
		made = ofBigInt(v)
	case big.Int:
		made = ofBigInt(&v)
	case complex128:
		made = &pb.Value{Kind: &pb.Value_ComplexValue{ComplexValue: &pb.Complex{Real: real(v), Imag: imag(v)}}}
	case SurrogateString:
		made, problem = ofSurrogates(v)
	case Decimal:
		canonical, err := ParseDecimal(string(v))
		if err != nil {
			problem = err.Error()
		}
		made = &pb.Value{Kind: &pb.Value_DecimalValue{DecimalValue: string(canonical)}}
	case UUID:
		made = &pb.Value{Kind: &pb.Value_UuidValue{UuidValue: v[:]}}
	case Date:
		made, problem = &pb.Value{Kind: &pb.Value_DateValue{DateValue: fromDate(v)}}, v.check()
	case TimeOfDay:
		made, problem = &pb.Value{Kind: &pb.Value_TimeValue{TimeValue: fromTime(v)}}, v.check()
	case DateTime:
		made, problem = ofDateTime(v)
	case time.Time:
		made, problem = ofDateTime(DateTimeOf(v))
	case TimeDelta:
		span := normalized(int64(v.Days), int64(v.Seconds), int64(v.Microseconds))
		made, problem = &pb.Value{Kind: &pb.Value_TimedeltaValue{TimedeltaValue: fromSpan(span)}}, span.check()
	case time.Duration:
		made = &pb.Value{Kind: &pb.Value_TimedeltaValue{TimedeltaValue: fromSpan(timeDeltaOf(v))}}
	case Tensor:
		made, problem = &pb.Value{Kind: &pb.Value_TensorValue{TensorValue: &pb.Tensor{
			Dtype: v.DType, Shape: v.Shape, Data: v.Data, Scalar: v.Scalar}}}, v.check()
	case ArrowStream:
		if v.Form < ArrowUnspecified || v.Form > ArrowPolarsSeries {
			problem = "an Arrow stream of an unknown form"
		}
		made = &pb.Value{Kind: &pb.Value_ArrowValue{ArrowValue: &pb.Arrow{
			IpcStream: v.IPCStream, Form: pb.ArrowForm(v.Form)}}}
	default:
		return nil, nil, false
	}
	if problem != "" {
		return nil, formError("%s", problem), true
	}
	return made, nil, true
}

func ofInt(v int64) *pb.Value {
	return &pb.Value{Kind: &pb.Value_IntValue{IntValue: v}}
}

// ofBigInt encodes two's complement, big-endian, as short as possible; within 64 bits it is a plain int.
func ofBigInt(v *big.Int) *pb.Value {
	if v.IsInt64() {
		return ofInt(v.Int64())
	}
	magnitude := v
	if v.Sign() < 0 {
		magnitude = new(big.Int).Not(v) // -2**71 needs no more bytes than 2**71 - 1
	}
	data := magnitude.FillBytes(make([]byte, magnitude.BitLen()/8+1)) // one bit more, for the sign
	if v.Sign() < 0 {
		for i := range data {
			data[i] = ^data[i]
		}
	}
	return &pb.Value{Kind: &pb.Value_BigIntValue{BigIntValue: data}}
}

func encodeString(v string) (*pb.Value, *ValueFormError) {
	if !utf8.ValidString(v) {
		return nil, formError("a string that is not UTF-8 is no str (use []byte, or a SurrogateString)")
	}
	return &pb.Value{Kind: &pb.Value_StringValue{StringValue: v}}, nil
}

func ofSurrogates(v SurrogateString) (*pb.Value, string) {
	surrogates, problem := scanSurrogates(string(v))
	if problem != "" {
		return nil, "a SurrogateString is not WTF-8: " + problem
	}
	if !surrogates {
		return &pb.Value{Kind: &pb.Value_StringValue{StringValue: string(v)}}, ""
	}
	return &pb.Value{Kind: &pb.Value_SurrogateStringValue{SurrogateStringValue: []byte(v)}}, ""
}

func fromDate(v Date) *pb.Date {
	return &pb.Date{Year: int32(v.Year), Month: int32(v.Month), Day: int32(v.Day)}
}

func fromSpan(v TimeDelta) *pb.TimeDelta {
	days := min(max(v.Days, math.MinInt32), math.MaxInt32) // checked by whoever calls
	return &pb.TimeDelta{Days: int32(days), Seconds: int32(v.Seconds), Microseconds: int32(v.Microseconds)}
}

func fromTime(v TimeOfDay) *pb.TimeOfDay {
	made := &pb.TimeOfDay{Hour: int32(v.Hour), Minute: int32(v.Minute), Second: int32(v.Second),
		Microsecond: int32(v.Microsecond), Fold: v.Fold}
	if zone := v.Zone; zone != nil {
		made.TimeZone = &pb.TimeZone{Key: zone.Key, Name: zone.Name}
		if !zone.NoOffset {
			made.TimeZone.UtcOffset = fromSpan(zone.Offset)
		}
	}
	return made
}

func ofDateTime(v DateTime) (*pb.Value, string) {
	if problem := v.Date.check(); problem != "" {
		return nil, problem
	}
	if problem := v.Time.check(); problem != "" {
		return nil, problem
	}
	return &pb.Value{Kind: &pb.Value_DatetimeValue{DatetimeValue: &pb.DateTime{
		Date: fromDate(v.Date), Time: fromTime(v.Time)}}}, ""
}
