"""What `callgate serve` is given on the command line, turned into patterns."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from callgate_server.policy import PolicyError, parse_pattern
from callgate_server.registry import ModuleFailed, load_file

__all__ = ["patterns_of"]


def patterns_of(targets: Iterable[str]) -> list[str]:
    """Patterns for targets: a module (`math`), a pattern (`statistics.*`), a function (`json.dumps`), a file
    (`mymodule.py`) or a folder that is a package (`examples/`: every module in it).

    Args:
        targets: the targets.

    Returns:
        Patterns, in order.

    Raises:
        PolicyError: if a target is nothing of these.
        ModuleFailed: if a file cannot be imported.
    """
    found: list[str] = []
    for target in targets:
        if target.endswith(".py"):
            found.append(f"{load_file(Path(target))}.*")
        elif "/" in target or (Path(target).is_dir() and not _is_module(target)):
            found += _package_modules(Path(target))
        elif target.endswith(".*"):
            found.append(target)
        elif _is_module(target):
            found.append(f"{target}.*")
        else:
            parse_pattern(target)
            found.append(target)
    return found


def _is_module(name: str) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        raise PolicyError(
            f"{name!r} is nothing to serve: give a module (math), a pattern (statistics.*), a function (json.dumps) "
            "or a file (mymodule.py)"
        )
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        if "." not in name:
            raise PolicyError(f"there is no module {name!r}") from None
        return False  # `math.sqrt`: math is no package
    except ValueError:  # __spec__ is None, as for __main__
        return False


def _package_modules(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise ModuleFailed(str(folder), f"there is no folder {folder}\n")
    folder = folder.resolve()
    package = folder.name
    if not (folder / "__init__.py").is_file() or not package.isidentifier():
        raise PolicyError(f"{folder} is no package (no __init__.py in it); name its files one by one")
    parent = str(folder.parent)
    if parent not in sys.path:
        sys.path.insert(0, parent)
    modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    return [f"{package}.{module}.*" for module in modules]
