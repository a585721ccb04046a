import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FunctionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FUNCTION_KIND_UNSPECIFIED: _ClassVar[FunctionKind]
    FUNCTION_KIND_PLAIN: _ClassVar[FunctionKind]
    FUNCTION_KIND_GENERATOR: _ClassVar[FunctionKind]
    FUNCTION_KIND_COROUTINE: _ClassVar[FunctionKind]
    FUNCTION_KIND_ASYNC_GENERATOR: _ClassVar[FunctionKind]

class ParameterKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARAMETER_KIND_UNSPECIFIED: _ClassVar[ParameterKind]
    PARAMETER_KIND_POSITIONAL_ONLY: _ClassVar[ParameterKind]
    PARAMETER_KIND_POSITIONAL_OR_KEYWORD: _ClassVar[ParameterKind]
    PARAMETER_KIND_VAR_POSITIONAL: _ClassVar[ParameterKind]
    PARAMETER_KIND_KEYWORD_ONLY: _ClassVar[ParameterKind]
    PARAMETER_KIND_VAR_KEYWORD: _ClassVar[ParameterKind]
FUNCTION_KIND_UNSPECIFIED: FunctionKind
FUNCTION_KIND_PLAIN: FunctionKind
FUNCTION_KIND_GENERATOR: FunctionKind
FUNCTION_KIND_COROUTINE: FunctionKind
FUNCTION_KIND_ASYNC_GENERATOR: FunctionKind
PARAMETER_KIND_UNSPECIFIED: ParameterKind
PARAMETER_KIND_POSITIONAL_ONLY: ParameterKind
PARAMETER_KIND_POSITIONAL_OR_KEYWORD: ParameterKind
PARAMETER_KIND_VAR_POSITIONAL: ParameterKind
PARAMETER_KIND_KEYWORD_ONLY: ParameterKind
PARAMETER_KIND_VAR_KEYWORD: ParameterKind

class Function(_message.Message):
    __slots__ = ("module", "function", "signature", "parameters", "return_type", "doc", "kind", "executor", "executor_kind", "executor_note", "timeout")
    MODULE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    RETURN_TYPE_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_KIND_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_NOTE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    module: str
    function: str
    signature: str
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    return_type: str
    doc: str
    kind: FunctionKind
    executor: str
    executor_kind: str
    executor_note: str
    timeout: _duration_pb2.Duration
    def __init__(self, module: _Optional[str] = ..., function: _Optional[str] = ..., signature: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., return_type: _Optional[str] = ..., doc: _Optional[str] = ..., kind: _Optional[_Union[FunctionKind, str]] = ..., executor: _Optional[str] = ..., executor_kind: _Optional[str] = ..., executor_note: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Parameter(_message.Message):
    __slots__ = ("name", "kind", "type", "default_repr", "required")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_REPR_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: ParameterKind
    type: str
    default_repr: str
    required: bool
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[ParameterKind, str]] = ..., type: _Optional[str] = ..., default_repr: _Optional[str] = ..., required: bool = ...) -> None: ...
