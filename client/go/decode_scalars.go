package callgate

import (
	"math/big"
	"time"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// decodeScalar decodes the kinds of one piece that have types of their own.
func decodeScalar(value *pb.Value) (any, *ValueDecodeError) {
	switch kind := value.GetKind().(type) {
	case *pb.Value_BigIntValue:
		return decodeBigInt(kind.BigIntValue)
	case *pb.Value_SurrogateStringValue:
		return decodeSurrogates(kind.SurrogateStringValue)
	case *pb.Value_ComplexValue:
		return complex(kind.ComplexValue.GetReal(), kind.ComplexValue.GetImag()), nil
	case *pb.Value_DecimalValue:
		made, err := ParseDecimal(kind.DecimalValue)
		if err != nil {
			return nil, decodeError("a decimal_value: %v", err)
		}
		return made, nil
	case *pb.Value_UuidValue:
		if len(kind.UuidValue) != 16 {
			return nil, decodeError("a uuid_value has %d bytes; 16 are right", len(kind.UuidValue))
		}
		return UUID(kind.UuidValue), nil
	case *pb.Value_DateValue:
		made := dateOf(kind.DateValue)
		return checked(made, made.check())
	case *pb.Value_TimeValue:
		made, problem := timeOf(kind.TimeValue)
		return checked(made, problem)
	case *pb.Value_DatetimeValue:
		return decodeDateTime(kind.DatetimeValue)
	case *pb.Value_TimedeltaValue:
		made := spanOf(kind.TimedeltaValue)
		return checked(made, made.check())
	case *pb.Value_TensorValue:
		return decodeTensor(kind.TensorValue)
	case *pb.Value_ArrowValue:
		form := ArrowForm(kind.ArrowValue.GetForm())
		if form < ArrowUnspecified || form > ArrowPolarsSeries {
			return nil, decodeError("an arrow_value has the unknown form %d", form)
		}
		return ArrowStream{notNil(kind.ArrowValue.GetIpcStream()), form}, nil
	}
	return nil, decodeError("values of kind %T are not taken here", value.GetKind())
}

func checked(made any, problem string) (any, *ValueDecodeError) {
	if problem != "" {
		return nil, decodeError("%s", problem)
	}
	return made, nil
}

// decodeBigInt reads two's complement, big-endian; an int within 64 bits is an int64, however it came.
func decodeBigInt(data []byte) (any, *ValueDecodeError) {
	if len(data) == 0 {
		return nil, decodeError("a big_int_value is empty")
	}
	made := new(big.Int).SetBytes(data)
	if data[0]&0x80 != 0 {
		made.Sub(made, new(big.Int).Lsh(big.NewInt(1), uint(len(data))*8))
	}
	if made.IsInt64() {
		return made.Int64(), nil
	}
	return made, nil
}

// decodeSurrogates reads WTF-8; a text without surrogates is a string, however it came.
func decodeSurrogates(data []byte) (any, *ValueDecodeError) {
	surrogates, problem := scanSurrogates(string(data))
	if problem != "" {
		return nil, decodeError("a surrogate_string_value is not WTF-8: %s", problem)
	}
	if !surrogates {
		return string(data), nil
	}
	return SurrogateString(data), nil
}

func dateOf(value *pb.Date) Date {
	return Date{int(value.GetYear()), int(value.GetMonth()), int(value.GetDay())}
}

func spanOf(value *pb.TimeDelta) TimeDelta {
	return normalized(int64(value.GetDays()), int64(value.GetSeconds()), int64(value.GetMicroseconds()))
}

func timeOf(value *pb.TimeOfDay) (TimeOfDay, string) {
	made := TimeOfDay{Hour: int(value.GetHour()), Minute: int(value.GetMinute()), Second: int(value.GetSecond()),
		Microsecond: int(value.GetMicrosecond()), Fold: value.GetFold()}
	if zone := value.GetTimeZone(); zone != nil {
		made.Zone = &Zone{Offset: spanOf(zone.GetUtcOffset()), Key: zone.GetKey(), Name: zone.GetName()}
		made.Zone.NoOffset = zone.GetUtcOffset() == nil && made.Zone.Key != ""
		if made.Zone.Key != "" {
			made.Zone.Name = "" // a key's names are its own
		}
	}
	return made, made.check()
}

func decodeDateTime(value *pb.DateTime) (any, *ValueDecodeError) {
	made := DateTime{Date: dateOf(value.GetDate())}
	if problem := made.Date.check(); problem != "" {
		return nil, decodeError("%s", problem)
	}
	var problem string
	if made.Time, problem = timeOf(value.GetTime()); problem != "" {
		return nil, decodeError("%s", problem)
	}
	if zone := made.Time.Zone; zone != nil && zone.NoOffset {
		location, err := time.LoadLocation(zone.Key)
		if err != nil {
			return nil, decodeError("no time zone %s here, and no UTC offset to use instead", shortKey(zone.Key))
		}
		_, seconds := made.In(location).Zone()
		zone.Offset, zone.NoOffset = normalized(0, int64(seconds), 0), false
	}
	return made, nil
}
