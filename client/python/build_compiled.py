"""hatchling's hook that compiles what is in C, where there is a C compiler and what a module needs.

Without one, or with CALLGATE_PURE=1, the wheel is pure Python: everything works but what the table below says. CC names
another compiler than the interpreter's own.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("client/python/callgate")


class Extension(NamedTuple):
    """A module in C.

    Attributes:
        source: its file, in the package.
        libraries: what it is linked with, by pkg-config's names.
        without: what is so without it.
    """

    source: str
    libraries: tuple[str, ...]
    without: str


EXTENSIONS = (
    Extension("_wakeups.c", (), "submitted calls of many threads are resolved one by one"),
    Extension("values/_compiled.c", (), "nested values are converted in Python"),
    Extension("http2/_session.c", ("libnghttp2",), "there is no native transport (it needs libnghttp2-dev, on Debian)"),
)


class CompiledBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # it has no config of its own
    """Adds the compiled module to wheels; for an editable install it lies beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the files of a wheel are gathered."""
        why = self._unfit()
        for extension in EXTENSIONS:
            source = Path(self.root) / PACKAGE / extension.source
            module = source.with_name(source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
            failed = why or compile_module(source, module, extension.libraries)
            if failed is not None:
                self.app.display_warning(f"callgate: {source.name} is not compiled: {failed}; {extension.without}")
            elif version != "editable":
                inside = Path("callgate") / Path(extension.source).with_name(module.name)
                build_data["force_include"][str(module)] = str(inside)
                build_data["pure_python"] = False
                build_data["infer_tag"] = True

    def _unfit(self) -> str | None:
        if os.environ.get("CALLGATE_PURE", "0") not in ("", "0"):
            return "CALLGATE_PURE is set"
        if sys.implementation.name != "cpython":
            return f"this is {sys.implementation.name}"
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            return "this Python has no GIL, which it relies on"
        if sys.platform == "win32":
            return "on Windows nobody has tried"
        return None


def compile_module(source: Path, module: Path, libraries: Sequence[str]) -> str | None:
    """Compile a module, unless it is newer than its source and the headers beside that.

    Args:
        source: the C file.
        module: where it goes.
        libraries: what it is linked with, by pkg-config's names.

    Returns:
        Why it is not there; None if it is.
    """
    newest = max(file.stat().st_mtime for file in (source, *source.parent.glob("*.h")))
    if module.exists() and module.stat().st_mtime >= newest:
        return None
    link = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    if os.environ.get("CC"):
        link[:1] = shlex.split(os.environ["CC"])
    include = sysconfig.get_path("include")
    with tempfile.TemporaryDirectory(dir=module.parent) as folder:
        made = Path(folder) / module.name
        command = [*link, "-O2", "-fPIC", f"-I{include}", str(source), "-o", str(made), *_flags(libraries)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            return f"no C compiler ({error})"
        if done.returncode != 0:
            return f"{shlex.join(command)} failed: {done.stderr.strip()[-1000:]}"
        made.replace(module)  # at once: others may be importing it, or building it as well
    return None


def _flags(libraries: Sequence[str]) -> list[str]:
    """The compiler's flags for libraries: what pkg-config says, or where there is none, their names."""
    if not libraries:
        return []
    try:
        said = subprocess.run(
            ["pkg-config", "--cflags", "--libs", *libraries], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return [f"-l{library.removeprefix('lib')}" for library in libraries]
    return shlex.split(said.stdout)
