from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NullValue(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NULL_VALUE_UNSPECIFIED: _ClassVar[NullValue]

class ArrowForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ARROW_FORM_UNSPECIFIED: _ClassVar[ArrowForm]
    ARROW_FORM_TABLE: _ClassVar[ArrowForm]
    ARROW_FORM_RECORD_BATCH: _ClassVar[ArrowForm]
    ARROW_FORM_ARRAY: _ClassVar[ArrowForm]
    ARROW_FORM_PANDAS_DATAFRAME: _ClassVar[ArrowForm]
    ARROW_FORM_POLARS_DATAFRAME: _ClassVar[ArrowForm]
    ARROW_FORM_CHUNKED_ARRAY: _ClassVar[ArrowForm]
    ARROW_FORM_PANDAS_SERIES: _ClassVar[ArrowForm]
    ARROW_FORM_POLARS_SERIES: _ClassVar[ArrowForm]

class RecordForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_FORM_UNSPECIFIED: _ClassVar[RecordForm]
    RECORD_FORM_DATACLASS: _ClassVar[RecordForm]
    RECORD_FORM_NAMEDTUPLE: _ClassVar[RecordForm]
    RECORD_FORM_ENUM: _ClassVar[RecordForm]
    RECORD_FORM_PYDANTIC: _ClassVar[RecordForm]
    RECORD_FORM_ATTRS: _ClassVar[RecordForm]
NULL_VALUE_UNSPECIFIED: NullValue
ARROW_FORM_UNSPECIFIED: ArrowForm
ARROW_FORM_TABLE: ArrowForm
ARROW_FORM_RECORD_BATCH: ArrowForm
ARROW_FORM_ARRAY: ArrowForm
ARROW_FORM_PANDAS_DATAFRAME: ArrowForm
ARROW_FORM_POLARS_DATAFRAME: ArrowForm
ARROW_FORM_CHUNKED_ARRAY: ArrowForm
ARROW_FORM_PANDAS_SERIES: ArrowForm
ARROW_FORM_POLARS_SERIES: ArrowForm
RECORD_FORM_UNSPECIFIED: RecordForm
RECORD_FORM_DATACLASS: RecordForm
RECORD_FORM_NAMEDTUPLE: RecordForm
RECORD_FORM_ENUM: RecordForm
RECORD_FORM_PYDANTIC: RecordForm
RECORD_FORM_ATTRS: RecordForm

class Value(_message.Message):
    __slots__ = ("null_value", "bool_value", "int_value", "big_int_value", "double_value", "string_value", "bytes_value", "list_value", "tuple_value", "set_value", "frozenset_value", "map_value", "double_list", "int_list", "bool_list", "string_list", "string_map", "complex_value", "decimal_value", "date_value", "time_value", "datetime_value", "timedelta_value", "uuid_value", "tensor_value", "arrow_value", "record_value", "surrogate_string_value", "nested_value")
    NULL_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    BIG_INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    BYTES_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_VALUE_FIELD_NUMBER: _ClassVar[int]
    TUPLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    SET_VALUE_FIELD_NUMBER: _ClassVar[int]
    FROZENSET_VALUE_FIELD_NUMBER: _ClassVar[int]
    MAP_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_LIST_FIELD_NUMBER: _ClassVar[int]
    INT_LIST_FIELD_NUMBER: _ClassVar[int]
    BOOL_LIST_FIELD_NUMBER: _ClassVar[int]
    STRING_LIST_FIELD_NUMBER: _ClassVar[int]
    STRING_MAP_FIELD_NUMBER: _ClassVar[int]
    COMPLEX_VALUE_FIELD_NUMBER: _ClassVar[int]
    DECIMAL_VALUE_FIELD_NUMBER: _ClassVar[int]
    DATE_VALUE_FIELD_NUMBER: _ClassVar[int]
    TIME_VALUE_FIELD_NUMBER: _ClassVar[int]
    DATETIME_VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMEDELTA_VALUE_FIELD_NUMBER: _ClassVar[int]
    UUID_VALUE_FIELD_NUMBER: _ClassVar[int]
    TENSOR_VALUE_FIELD_NUMBER: _ClassVar[int]
    ARROW_VALUE_FIELD_NUMBER: _ClassVar[int]
    RECORD_VALUE_FIELD_NUMBER: _ClassVar[int]
    SURROGATE_STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    NESTED_VALUE_FIELD_NUMBER: _ClassVar[int]
    null_value: NullValue
    bool_value: bool
    int_value: int
    big_int_value: bytes
    double_value: float
    string_value: str
    bytes_value: bytes
    list_value: ListValue
    tuple_value: ListValue
    set_value: ListValue
    frozenset_value: ListValue
    map_value: MapValue
    double_list: DoubleList
    int_list: IntList
    bool_list: BoolList
    string_list: StringList
    string_map: StringMap
    complex_value: Complex
    decimal_value: str
    date_value: Date
    time_value: TimeOfDay
    datetime_value: DateTime
    timedelta_value: TimeDelta
    uuid_value: bytes
    tensor_value: Tensor
    arrow_value: Arrow
    record_value: Record
    surrogate_string_value: bytes
    nested_value: bytes
    def __init__(self, null_value: _Optional[_Union[NullValue, str]] = ..., bool_value: bool = ..., int_value: _Optional[int] = ..., big_int_value: _Optional[bytes] = ..., double_value: _Optional[float] = ..., string_value: _Optional[str] = ..., bytes_value: _Optional[bytes] = ..., list_value: _Optional[_Union[ListValue, _Mapping]] = ..., tuple_value: _Optional[_Union[ListValue, _Mapping]] = ..., set_value: _Optional[_Union[ListValue, _Mapping]] = ..., frozenset_value: _Optional[_Union[ListValue, _Mapping]] = ..., map_value: _Optional[_Union[MapValue, _Mapping]] = ..., double_list: _Optional[_Union[DoubleList, _Mapping]] = ..., int_list: _Optional[_Union[IntList, _Mapping]] = ..., bool_list: _Optional[_Union[BoolList, _Mapping]] = ..., string_list: _Optional[_Union[StringList, _Mapping]] = ..., string_map: _Optional[_Union[StringMap, _Mapping]] = ..., complex_value: _Optional[_Union[Complex, _Mapping]] = ..., decimal_value: _Optional[str] = ..., date_value: _Optional[_Union[Date, _Mapping]] = ..., time_value: _Optional[_Union[TimeOfDay, _Mapping]] = ..., datetime_value: _Optional[_Union[DateTime, _Mapping]] = ..., timedelta_value: _Optional[_Union[TimeDelta, _Mapping]] = ..., uuid_value: _Optional[bytes] = ..., tensor_value: _Optional[_Union[Tensor, _Mapping]] = ..., arrow_value: _Optional[_Union[Arrow, _Mapping]] = ..., record_value: _Optional[_Union[Record, _Mapping]] = ..., surrogate_string_value: _Optional[bytes] = ..., nested_value: _Optional[bytes] = ...) -> None: ...

class ListValue(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class MapValue(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[MapEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[MapEntry, _Mapping]]] = ...) -> None: ...

class MapEntry(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: Value
    value: Value
    def __init__(self, key: _Optional[_Union[Value, _Mapping]] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...

class DoubleList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class IntList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values: _Optional[_Iterable[int]] = ...) -> None: ...

class BoolList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, values: _Optional[_Iterable[bool]] = ...) -> None: ...

class StringList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class StringMap(_message.Message):
    __slots__ = ("keys", "values")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Complex(_message.Message):
    __slots__ = ("real", "imag")
    REAL_FIELD_NUMBER: _ClassVar[int]
    IMAG_FIELD_NUMBER: _ClassVar[int]
    real: float
    imag: float
    def __init__(self, real: _Optional[float] = ..., imag: _Optional[float] = ...) -> None: ...

class Date(_message.Message):
    __slots__ = ("year", "month", "day")
    YEAR_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    year: int
    month: int
    day: int
    def __init__(self, year: _Optional[int] = ..., month: _Optional[int] = ..., day: _Optional[int] = ...) -> None: ...

class TimeZone(_message.Message):
    __slots__ = ("utc_offset", "key", "name")
    UTC_OFFSET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    utc_offset: TimeDelta
    key: str
    name: str
    def __init__(self, utc_offset: _Optional[_Union[TimeDelta, _Mapping]] = ..., key: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class TimeOfDay(_message.Message):
    __slots__ = ("hour", "minute", "second", "microsecond", "fold", "time_zone")
    HOUR_FIELD_NUMBER: _ClassVar[int]
    MINUTE_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    MICROSECOND_FIELD_NUMBER: _ClassVar[int]
    FOLD_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    hour: int
    minute: int
    second: int
    microsecond: int
    fold: bool
    time_zone: TimeZone
    def __init__(self, hour: _Optional[int] = ..., minute: _Optional[int] = ..., second: _Optional[int] = ..., microsecond: _Optional[int] = ..., fold: bool = ..., time_zone: _Optional[_Union[TimeZone, _Mapping]] = ...) -> None: ...

class DateTime(_message.Message):
    __slots__ = ("date", "time")
    DATE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    date: Date
    time: TimeOfDay
    def __init__(self, date: _Optional[_Union[Date, _Mapping]] = ..., time: _Optional[_Union[TimeOfDay, _Mapping]] = ...) -> None: ...

class TimeDelta(_message.Message):
    __slots__ = ("days", "seconds", "microseconds")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    MICROSECONDS_FIELD_NUMBER: _ClassVar[int]
    days: int
    seconds: int
    microseconds: int
    def __init__(self, days: _Optional[int] = ..., seconds: _Optional[int] = ..., microseconds: _Optional[int] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("dtype", "shape", "data", "scalar")
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SCALAR_FIELD_NUMBER: _ClassVar[int]
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    scalar: bool
    def __init__(self, dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ..., scalar: bool = ...) -> None: ...

class Arrow(_message.Message):
    __slots__ = ("ipc_stream", "form")
    IPC_STREAM_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    ipc_stream: bytes
    form: ArrowForm
    def __init__(self, ipc_stream: _Optional[bytes] = ..., form: _Optional[_Union[ArrowForm, str]] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("type_name", "form", "fields")
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    type_name: str
    form: RecordForm
    fields: _containers.RepeatedCompositeFieldContainer[RecordField]
    def __init__(self, type_name: _Optional[str] = ..., form: _Optional[_Union[RecordForm, str]] = ..., fields: _Optional[_Iterable[_Union[RecordField, _Mapping]]] = ...) -> None: ...

class RecordField(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: Value
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
