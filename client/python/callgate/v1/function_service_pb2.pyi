import datetime

from callgate.v1 import function_pb2 as _function_pb2
from callgate.v1 import value_pb2 as _value_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CallFunctionRequest(_message.Message):
    __slots__ = ("module", "function", "args", "kwargs", "takes_more")
    class KwargsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    MODULE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    KWARGS_FIELD_NUMBER: _ClassVar[int]
    TAKES_MORE_FIELD_NUMBER: _ClassVar[int]
    module: str
    function: str
    args: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    kwargs: _containers.MessageMap[str, _value_pb2.Value]
    takes_more: bool
    def __init__(self, module: _Optional[str] = ..., function: _Optional[str] = ..., args: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., kwargs: _Optional[_Mapping[str, _value_pb2.Value]] = ..., takes_more: bool = ...) -> None: ...

class CallFunctionResponse(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: _value_pb2.Value
    def __init__(self, value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...

class StreamFunctionResponse(_message.Message):
    __slots__ = ("value", "more")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    value: _value_pb2.Value
    more: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    def __init__(self, value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ..., more: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ...) -> None: ...

class BatchCallFunctionsRequest(_message.Message):
    __slots__ = ("calls", "call_timeout", "mapped")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CALL_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAPPED_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[CallFunctionRequest]
    call_timeout: _duration_pb2.Duration
    mapped: _containers.RepeatedCompositeFieldContainer[MappedCalls]
    def __init__(self, calls: _Optional[_Iterable[_Union[CallFunctionRequest, _Mapping]]] = ..., call_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., mapped: _Optional[_Iterable[_Union[MappedCalls, _Mapping]]] = ...) -> None: ...

class MappedCalls(_message.Message):
    __slots__ = ("module", "function", "items")
    MODULE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    module: str
    function: str
    items: _value_pb2.Value
    def __init__(self, module: _Optional[str] = ..., function: _Optional[str] = ..., items: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...

class BatchCallFunctionsResponse(_message.Message):
    __slots__ = ("results", "runs")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchResult]
    runs: _containers.RepeatedCompositeFieldContainer[ResultRun]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchResult, _Mapping]]] = ..., runs: _Optional[_Iterable[_Union[ResultRun, _Mapping]]] = ...) -> None: ...

class ResultRun(_message.Message):
    __slots__ = ("first", "values")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    first: int
    values: _value_pb2.Value
    def __init__(self, first: _Optional[int] = ..., values: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...

class BatchResult(_message.Message):
    __slots__ = ("index", "response", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    response: CallFunctionResponse
    error: _status_pb2.Status
    def __init__(self, index: _Optional[int] = ..., response: _Optional[_Union[CallFunctionResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ListFunctionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "module")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MODULE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    module: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., module: _Optional[str] = ...) -> None: ...

class ListFunctionsResponse(_message.Message):
    __slots__ = ("functions", "next_page_token")
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[_function_pb2.Function]
    next_page_token: str
    def __init__(self, functions: _Optional[_Iterable[_Union[_function_pb2.Function, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetFunctionRequest(_message.Message):
    __slots__ = ("module", "function")
    MODULE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    module: str
    function: str
    def __init__(self, module: _Optional[str] = ..., function: _Optional[str] = ...) -> None: ...

class GetFunctionResponse(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: _function_pb2.Function
    def __init__(self, function: _Optional[_Union[_function_pb2.Function, _Mapping]] = ...) -> None: ...
