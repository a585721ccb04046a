"""hatchling's hook that compiles `callgate/values/_compiled.c`, where there is a C compiler.

Without one, or with CALLGATE_PURE=1, the wheel is pure Python: everything works, nested values are converted some five
times slower. CC names another compiler than the interpreter's own.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("client/python/callgate/values/_compiled.c")


class CompiledBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # it has no config of its own
    """Adds the compiled module to wheels; for an editable install it lies beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the files of a wheel are gathered."""
        why = self._unfit()
        if why is None:
            source = Path(self.root) / SOURCE
            module = source.with_name("_compiled" + sysconfig.get_config_var("EXT_SUFFIX"))
            why = compile_module(source, module)
        if why is not None:
            self.app.display_warning(f"callgate: {SOURCE.name} is not compiled: {why}; values are converted in Python")
            return
        if version != "editable":
            build_data["force_include"][str(module)] = f"callgate/values/{module.name}"
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


def compile_module(source: Path, module: Path) -> str | None:
    """Compile the module, unless it is newer than its source.

    Args:
        source: the C file.
        module: where it goes.

    Returns:
        Why it is not there; None if it is.
    """
    if module.exists() and module.stat().st_mtime >= source.stat().st_mtime:
        return None
    link = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    if os.environ.get("CC"):
        link[:1] = shlex.split(os.environ["CC"])
    include = sysconfig.get_path("include")
    with tempfile.TemporaryDirectory(dir=module.parent) as folder:
        made = Path(folder) / module.name
        command = [*link, "-O2", "-fPIC", f"-I{include}", str(source), "-o", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            return f"no C compiler ({error})"
        if done.returncode != 0:
            return f"{shlex.join(command)} failed: {done.stderr.strip()[-1000:]}"
        made.replace(module)  # at once: others may be importing it, or building it as well
    return None
