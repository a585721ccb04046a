from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ReloadFunctionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadFunctionsResponse(_message.Message):
    __slots__ = ("functions",)
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: int
    def __init__(self, functions: _Optional[int] = ...) -> None: ...
