"""What `callgate serve` is given on the command line, turned into patterns and the folders to import them from."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from callgate_server.loading import ModuleFailed
from callgate_server.policy import PolicyError, parse_pattern

__all__ = ["Targets", "read_targets"]


@dataclass(frozen=True, slots=True)
class Targets:
    """Patterns to expose, and the folders that they are imported from beside what is installed."""

    patterns: tuple[str, ...]
    folders: tuple[Path, ...]


def read_targets(targets: Iterable[str]) -> Targets:
    """Read targets: a module (`math`), a pattern (`statistics.*`), a function (`json.dumps`), a file (`mymodule.py`)
    or a folder that is a package (`examples/`: every module in it).

    The folders of files and packages are put on sys.path, as `python mymodule.py` would.

    Args:
        targets: the targets.

    Returns:
        Patterns and folders, in order.

    Raises:
        PolicyError: if a target is nothing of these.
        ModuleFailed: if a file or folder cannot be read, or cannot be a module.
    """
    patterns: list[str] = []
    folders: list[Path] = []
    for target in targets:
        if target.endswith(".py"):
            folder, name = _file(Path(target))
            folders.append(folder)
            patterns.append(f"{name}.*")
        elif "/" in target or (Path(target).is_dir() and not _is_module(target)):
            folder, names = _package(Path(target))
            folders.append(folder)
            patterns += [f"{name}.*" for name in names]
        elif target.endswith(".*"):
            patterns.append(target)
        elif _is_module(target):
            patterns.append(f"{target}.*")
        else:
            parse_pattern(target)
            patterns.append(target)
    return Targets(tuple(patterns), tuple(folders))


def _file(path: Path) -> tuple[Path, str]:
    path = path.resolve()
    name = path.stem
    if not path.is_file():
        raise ModuleFailed(str(path), f"there is no file {path}\n")
    if not name.isidentifier():
        raise ModuleFailed(str(path), f"{name!r} is no module name; rename the file to a Python identifier\n")
    _import_from(path.parent)
    spec = importlib.util.find_spec(name)
    origin = spec.origin if spec is not None else None
    if origin is None or Path(origin).resolve() != path:
        raise ModuleFailed(
            str(path), f"a module named {name!r} is there already ({origin or 'in the interpreter'}); rename the file\n"
        )
    return path.parent, name


def _is_module(name: str) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        raise PolicyError(
            f"{name!r} is nothing to serve: give a module (math), a pattern (statistics.*), a function (json.dumps) "
            "or a file (mymodule.py)"
        )
    try:
        found = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        found = False  # `math.sqrt`: math is no package
    except BaseException:  # the package's own code raised: importing it for good will say so, with its traceback
        return False
    if not found and "." not in name:
        hint = f"; there is a file {name}.py: say that" if Path(f"{name}.py").is_file() else ""
        raise PolicyError(f"there is no module {name!r}{hint}")
    return found


def _package(folder: Path) -> tuple[Path, list[str]]:
    if not folder.is_dir():
        raise ModuleFailed(str(folder), f"there is no folder {folder}\n")
    folder = folder.resolve()
    package = folder.name
    if not (folder / "__init__.py").is_file() or not package.isidentifier():
        raise PolicyError(f"{folder} is no package (no __init__.py in it); name its files one by one")
    _import_from(folder.parent)
    return folder.parent, sorted(
        f"{package}.{path.stem}" for path in folder.glob("*.py") if not path.stem.startswith("_")
    )


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
