"""Importing the modules that are exposed, and importing them anew."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ModuleFailed", "imported_anew", "load_module", "own_modules"]


class ModuleFailed(Exception):
    """A module to be exposed could not be imported.

    Args:
        module: its name or file.
        trace: the traceback, ready to print, without the importer's own frames.
    """

    def __init__(self, module: str, trace: str) -> None:
        super().__init__(f"{module} could not be imported")
        self.module = module
        self.trace = trace


def load_module(name: str) -> types.ModuleType:
    """Import a module.

    Raises:
        ModuleFailed: if it raises anything at all, with its traceback from its own first frame on.
    """
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, too: a script without a main guard
        raise ModuleFailed(name, _trace(error)) from error


def _trace(error: BaseException) -> str:
    frames = error.__traceback__
    own = (__file__, importlib.__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
    while frames is not None and frames.tb_frame.f_code.co_filename in own:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def own_modules(folders: Iterable[Path]) -> dict[str, types.ModuleType]:
    """Loaded modules whose source is in one of these folders: the user's own, which may change while the server runs.

    Packages installed in an environment below such a folder, extension modules (which cannot be loaded twice), Callgate
    itself and the running script are not among them.
    """
    roots = [folder.resolve() for folder in folders]
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or name.partition(".")[0] in {"callgate", "callgate_server"}:
            continue
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        path = Path(file).resolve()
        if "site-packages" not in path.parts and any(path.is_relative_to(root) for root in roots):
            found[name] = module
    return found


def _forget_bytecode(module: types.ModuleType) -> None:
    """Remove a module's cached bytecode.

    Python takes it for current while the source has the same size and was changed in the same second: a file saved
    twice within a second would be loaded as it was.
    """
    try:
        Path(importlib.util.cache_from_source(str(module.__file__))).unlink(missing_ok=True)
    except (OSError, NotImplementedError):
        pass  # a folder that cannot be written has no cache of ours either


@contextmanager
def imported_anew(folders: Iterable[Path]) -> Iterator[None]:
    """Within this context, imports of the user's own modules read them from disk again.

    The old modules live on in the functions that refer to them: calls on their way keep their old globals (which
    `importlib.reload` would change under them). If the context raises, the old modules are put back.

    Args:
        folders: where the user's own modules are.
    """
    old = own_modules(folders)
    for name, module in old.items():
        del sys.modules[name]
        _forget_bytecode(module)
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name in own_modules(folders):
            del sys.modules[name]
        sys.modules.update(old)
        raise
