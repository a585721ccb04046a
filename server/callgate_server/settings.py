"""Settings: one frozen, validated object, from callgate.toml, the environment and flags, read once at start.

The later wins: defaults, the file, `CALLGATE_…` variables (`CALLGATE_LIMITS__CALLS=100`), flags. An error names the
key, the value, and what would be right.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as PydanticSettingsError,
)

from callgate_server.policy import PolicyError, parse_pattern

__all__ = ["ExecutorSettings", "Settings", "SettingsError", "is_loopback", "load_settings"]


class SettingsError(Exception):
    """Settings that are wrong; the message names the key, the value and what would be right."""


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]i?B?|B)?", re.IGNORECASE)


def _seconds(value: Any) -> Any:
    """ "5s", "250ms", "2m", "1h" or a number of seconds."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("write a duration like '5s', '250ms', '2m' or '1h'")
        return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2] or "s"]
    return value


def _bytes(value: Any) -> Any:
    """ "64MiB", "1GiB", "512KB" or a number of bytes; K, M and G are powers of 1024."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError("write a size like '64MiB', '1GiB' or '512KiB'")
        return int(float(match[1]) * 1024 ** "BKMG".index((match[2] or "B")[0].upper()))
    return value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=365 * 86400)]
Size = Annotated[int, BeforeValidator(_bytes), Field(ge=1024, le=1 << 30)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expose(_Frozen):
    """One `[[expose]]` table: which functions, and how they run."""

    functions: tuple[str, ...] = Field(min_length=1)
    executor: str | None = None
    timeout: Seconds | None = None

    @field_validator("functions")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                parse_pattern(text)
            except PolicyError as error:
                raise ValueError(str(error)) from None
        return value


ExecutorKind = Literal["serial", "threads", "coroutines", "interpreters", "processes"]

#: Kinds that can be named where an executor's name is wanted: each is then an executor with its defaults.
KINDS: tuple[str, ...] = get_args(ExecutorKind)

#: Which keys of an [executors.NAME] table belong to which kinds; keys that are not here belong to all.
_KEYS_OF_KINDS: dict[str, tuple[str, ...]] = {
    "thread": ("serial",),
    "max_workers": ("threads",),
    "max_tasks": ("coroutines",),
    "workers": ("interpreters", "processes"),
    "python": ("processes",),
    "max_calls": ("processes",),
    "max_rss": ("processes",),
    "memory": ("processes",),
    "cpu": ("processes",),
    "open_files": ("processes",),
    "start_timeout": ("processes",),
    "max_crashes": ("processes",),
    "crash_window": ("processes",),
}


class ExecutorSettings(_Frozen):
    """One `[executors.NAME]` table. Which keys apply depends on the kind; one that does not apply is an error."""

    kind: ExecutorKind = "serial"
    #: How many calls may wait for a turn; arbitrary: at 1 ms a call, a quarter of a second of waiting.
    queue: int = Field(default=256, ge=0, le=100_000)
    #: serial: which thread runs functions.
    thread: Literal["pool", "dedicated", "main"] = "pool"
    #: threads: how many calls run at once; as concurrent.futures chooses for I/O.
    max_workers: int = Field(default_factory=lambda: min(32, (os.cpu_count() or 1) + 4), ge=1, le=1000)
    #: coroutines: how many calls run at once.
    max_tasks: int = Field(default=10_000, ge=1, le=1_000_000)
    #: interpreters, processes: how many there are, hence how many calls run at once.
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    #: processes: another environment's interpreter.
    python: Path | None = None
    #: processes: a worker runs at most so many calls. Its replacement is started while it runs the last tenth of them
    #: (with 1: each worker has a spare).
    max_calls: int | None = Field(default=None, ge=1)
    #: processes: a worker whose resident memory is above this after a call is replaced.
    max_rss: Annotated[int, BeforeValidator(_bytes), Field(ge=1 << 20)] | None = None
    #: processes: a worker's address space (RLIMIT_AS); an allocation beyond it raises MemoryError in the function.
    memory: Annotated[int, BeforeValidator(_bytes), Field(ge=64 << 20)] | None = None
    #: processes: a worker's CPU seconds in all (RLIMIT_CPU); beyond it the kernel kills the worker.
    cpu: Annotated[int, BeforeValidator(_seconds), Field(ge=1)] | None = None
    #: processes: a worker's open files (RLIMIT_NOFILE).
    open_files: int | None = Field(default=None, ge=16)
    #: processes: how long a worker may take to start and import its modules; large ones take their time.
    start_timeout: Seconds = 60.0
    #: processes: so many crashes of workers within `crash_window` stop the server, for its orchestrator to act.
    #: Arbitrary: ten functions that crash three times each, and are then in quarantine, stay below.
    max_crashes: int = Field(default=32, ge=1, le=100_000)
    #: processes: see max_crashes.
    crash_window: Seconds = 60.0
    #: Seconds after which a call that can be neither interrupted nor ended takes readiness down.
    wedge_after: Seconds = 30.0
    #: Then: only report it, or exit so that an orchestrator restarts the server.
    on_wedge: Literal["report", "exit"] = "report"

    @model_validator(mode="after")
    def _fitting(self) -> ExecutorSettings:
        for key in sorted(self.model_fields_set):
            kinds = _KEYS_OF_KINDS.get(key)
            if kinds is not None and self.kind not in kinds:
                raise ValueError(f"{key} is for kind = {' or '.join(map(repr, kinds))}, and this is {self.kind!r}")
        return self


class Limits(_Frozen):
    """How much the server takes on."""

    #: Calls on their way at once, waiting or running; the next is refused (RESOURCE_EXHAUSTED). Each holds a thread.
    calls: int = Field(default=128, ge=1, le=10_000)
    #: Streams and batches open at once; each holds a thread of its own kind, apart from the calls'.
    streams: int = Field(default=512, ge=1, le=10_000)
    #: Calls in one batch.
    batch: int = Field(default=10_000, ge=1, le=1_000_000)
    #: Largest request and largest response, payload only.
    message: Size = 64 << 20
    #: How deep values may nest.
    depth: int = Field(default=100, ge=1, le=500)
    #: How many elements a message's containers may have together.
    elements: int = Field(default=10_000_000, ge=1)


class Tls(_Frozen):
    """TLS files, PEM."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Auth(_Frozen):
    """Who may speak to the server."""

    #: A token file, as `callgate token` writes it.
    tokens: Path | None = None
    #: Identities that may administer the server (`callgate reload`).
    administrators: tuple[str, ...] = ()


class Errors(_Frozen):
    """What failures tell."""

    #: Whether tracebacks leave the server: "auto" on loopback and Unix sockets only.
    traceback: Literal["auto", "always", "never"] = "auto"


class Grace(_Frozen):
    """The deadline ladder's pauses. See ladder.Graces for what the defaults are good for."""

    interrupt: Seconds = 0.1
    kill: Seconds = 0.5


class Log(_Frozen):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Settings(BaseSettings):
    """All of them."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="CALLGATE_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    listen: str = "127.0.0.1:50051"
    transport: Literal["grpcio", "native"] = "grpcio"
    #: Folders put in front of sys.path.
    path: tuple[Path, ...] = ()
    #: A virtual environment whose packages functions may import.
    venv: Path | None = None
    expose: tuple[Expose, ...] = ()
    #: The executor of functions whose [[expose]] table names none.
    executor: str = "default"
    executors: dict[str, ExecutorSettings] = Field(default_factory=dict)
    limits: Limits = Limits()
    tls: Tls | None = None
    auth: Auth = Auth()
    errors: Errors = Errors()
    log: Log = Log()
    #: Serve beyond loopback without TLS and authentication.
    insecure: bool = False
    #: Let functions that can run code be named one by one.
    allow_unsafe: bool = False
    #: Seconds from a call's deadline or cancellation to the interruption of its code, and from there to the kill of its
    #: worker.
    grace: Grace = Grace()
    #: How long calls on their way may take to end when the server stops.
    drain: Seconds = 10.0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the file (see `load_settings`); no dotenv, no secrets folder."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def asks_for_credentials(self) -> bool:
        """Whether callers have to say who they are."""
        return self.auth.tokens is not None or (self.tls is not None and self.tls.client_ca is not None)

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        if value.startswith("unix:"):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError("write 'HOST:PORT' (127.0.0.1:50051, [::1]:50051, 0.0.0.0:50051) or 'unix:PATH'")
        return value

    @field_validator("executors", mode="before")
    @classmethod
    def _executor_kinds(cls, value: Any) -> Any:
        """A table with a kind's name is of that kind, without saying so."""
        if not isinstance(value, dict):
            return value
        return {
            name: {"kind": name, **table} if name in KINDS and isinstance(table, dict) else table
            for name, table in value.items()
        }

    @field_validator("executors")
    @classmethod
    def _executor_names(cls, value: dict[str, ExecutorSettings]) -> dict[str, ExecutorSettings]:
        for name, table in value.items():
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
                raise ValueError(f"{name!r} is no executor name: lower-case letters, digits, '_' and '-'")
            if name in KINDS and table.kind != name:
                raise ValueError(f"{name!r} is the name of a kind, and this is {table.kind!r}; name it otherwise")
        return value

    @model_validator(mode="after")
    def _together(self) -> Settings:
        known = {"default", *KINDS, *self.executors}
        for rule in self.expose:
            if rule.executor is not None and rule.executor not in known:
                raise ValueError(f"expose.executor: no executor {rule.executor!r}; there is {_listed(known)}")
        if self.executor not in known:
            raise ValueError(f"executor: no executor {self.executor!r}; there is {_listed(known)}")
        safe = self.tls is not None and self.asks_for_credentials
        if not is_loopback(self.listen) and not safe and not self.insecure:
            missing = "TLS" if self.tls is None else "authentication"
            raise ValueError(
                f"listen: {self.listen} can be reached from other machines, and there is no {missing}; give "
                "--tls-cert, --tls-key and --tokens (or --tls-client-ca), listen on 127.0.0.1, or pass --insecure if "
                "the network itself keeps strangers out"
            )
        return self


def load_settings(file: Path | None, flags: dict[str, Any]) -> Settings:
    """Read the settings.

    Args:
        file: the TOML file; None for ./callgate.toml if it is there.
        flags: what the command line said, by key; nested ones as dicts.

    Returns:
        The settings.

    Raises:
        SettingsError: naming key, value, and what would be right.
    """
    path = file or Path("callgate.toml")
    found = file is not None or path.exists()

    class Loaded(Settings):
        model_config = SettingsConfigDict(toml_file=path if found else None)

    try:
        if found:
            tomllib.loads(path.read_text("utf-8"))  # pydantic-settings would pass over a file that is not there
        return Loaded(**flags)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        raise SettingsError(_explain(error, path if found else None)) from None
    except PydanticSettingsError as error:  # an environment variable that is no JSON
        raise SettingsError(f"{error} (nested values in variables are JSON, or CALLGATE_TABLE__KEY=value)") from None


def _explain(error: ValidationError, path: Path | None) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            names = _known_keys(problem["loc"])
            near = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {_listed(names)}" if names else ""
            lines.append(f"{where}: no such key; {hint}")
        elif where:
            value = repr(problem["input"])
            lines.append(f"{where} = {value if len(value) <= 80 else value[:77] + '…'}: {message}")
        else:
            lines.append(message)
    source = f"{path}: " if path is not None else ""
    return "\n".join(f"{source}{line}" for line in lines)


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    tables: dict[str, Any] = {
        "expose": Expose, "limits": Limits, "tls": Tls, "auth": Auth, "errors": Errors, "log": Log,
        "executors": ExecutorSettings, "grace": Grace,
    }  # fmt: skip
    if len(location) > 1:
        model = tables.get(str(location[0]))
    return sorted(model.model_fields) if model is not None else []


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach an address."""
    if listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
