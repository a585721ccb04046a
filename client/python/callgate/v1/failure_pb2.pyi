from callgate.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_FUNCTION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_MALFORMED_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_UNDECODABLE_VALUE: _ClassVar[ErrorReason]
    ERROR_REASON_ARGUMENTS_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_RESPONSE_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_EXPIRED_IN_QUEUE: _ClassVar[ErrorReason]
    ERROR_REASON_RAN_TOO_LONG: _ClassVar[ErrorReason]
    ERROR_REASON_WOULD_DEADLOCK: _ClassVar[ErrorReason]
    ERROR_REASON_DRAINING: _ClassVar[ErrorReason]
    ERROR_REASON_WORKER_CRASHED: _ClassVar[ErrorReason]
    ERROR_REASON_NO_VALUE_FORM: _ClassVar[ErrorReason]
    ERROR_REASON_FUNCTION_RAISED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELLED: _ClassVar[ErrorReason]
    ERROR_REASON_UNIMPLEMENTED: _ClassVar[ErrorReason]
    ERROR_REASON_QUARANTINED: _ClassVar[ErrorReason]
    ERROR_REASON_WRONG_METHOD: _ClassVar[ErrorReason]
    ERROR_REASON_LIMIT_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_PERMISSION_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_RELOAD_FAILED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_FUNCTION_NOT_FOUND: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_MALFORMED_REQUEST: ErrorReason
ERROR_REASON_UNDECODABLE_VALUE: ErrorReason
ERROR_REASON_ARGUMENTS_MISMATCH: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_REQUEST_TOO_LARGE: ErrorReason
ERROR_REASON_RESPONSE_TOO_LARGE: ErrorReason
ERROR_REASON_EXPIRED_IN_QUEUE: ErrorReason
ERROR_REASON_RAN_TOO_LONG: ErrorReason
ERROR_REASON_WOULD_DEADLOCK: ErrorReason
ERROR_REASON_DRAINING: ErrorReason
ERROR_REASON_WORKER_CRASHED: ErrorReason
ERROR_REASON_NO_VALUE_FORM: ErrorReason
ERROR_REASON_FUNCTION_RAISED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_CANCELLED: ErrorReason
ERROR_REASON_UNIMPLEMENTED: ErrorReason
ERROR_REASON_QUARANTINED: ErrorReason
ERROR_REASON_WRONG_METHOD: ErrorReason
ERROR_REASON_LIMIT_EXCEEDED: ErrorReason
ERROR_REASON_PERMISSION_DENIED: ErrorReason
ERROR_REASON_RELOAD_FAILED: ErrorReason

class PythonException(_message.Message):
    __slots__ = ("type", "module", "qualname", "message", "args", "args_omitted", "notes", "frames", "cause", "context", "suppress_context", "exceptions", "builtin_bases", "truncated", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MODULE_FIELD_NUMBER: _ClassVar[int]
    QUALNAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ARGS_OMITTED_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUPPRESS_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    EXCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    BUILTIN_BASES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    type: str
    module: str
    qualname: str
    message: str
    args: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    args_omitted: bool
    notes: _containers.RepeatedScalarFieldContainer[str]
    frames: _containers.RepeatedCompositeFieldContainer[TracebackFrame]
    cause: PythonException
    context: PythonException
    suppress_context: bool
    exceptions: _containers.RepeatedCompositeFieldContainer[PythonException]
    builtin_bases: _containers.RepeatedScalarFieldContainer[str]
    truncated: bool
    attributes: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, type: _Optional[str] = ..., module: _Optional[str] = ..., qualname: _Optional[str] = ..., message: _Optional[str] = ..., args: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., args_omitted: bool = ..., notes: _Optional[_Iterable[str]] = ..., frames: _Optional[_Iterable[_Union[TracebackFrame, _Mapping]]] = ..., cause: _Optional[_Union[PythonException, _Mapping]] = ..., context: _Optional[_Union[PythonException, _Mapping]] = ..., suppress_context: bool = ..., exceptions: _Optional[_Iterable[_Union[PythonException, _Mapping]]] = ..., builtin_bases: _Optional[_Iterable[str]] = ..., truncated: bool = ..., attributes: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...

class TracebackFrame(_message.Message):
    __slots__ = ("file", "line", "function", "source", "repeated")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    function: str
    source: str
    repeated: int
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., function: _Optional[str] = ..., source: _Optional[str] = ..., repeated: _Optional[int] = ...) -> None: ...
