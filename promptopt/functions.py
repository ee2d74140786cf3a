"""Functions of the user's own, by name."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What code of the user's own may raise. `sys.exit` in it would else end the command, with the exit code 0 as if a gate
# had passed.
RAISED = (Exception, SystemExit)


def load_function(name: str, *, default: str = "") -> Callable[..., Any]:
    """A function of the user's own.

    Args:
        name: ``package.module:function``, ``package.module.function`` or ``file://path.py:function``.
        default: The function of a file that names none.

    Raises:
        ValueError: There is no such function, or its module cannot be imported.
    """
    if name.startswith("file://"):
        module_name, _, attribute = name.removeprefix("file://").partition(":")
        module = _from_file(Path(module_name))
        attribute = attribute or default
    else:
        module_name, _, attribute = name.rpartition(":") if ":" in name else name.rpartition(".")
        if not module_name or not all(part.isidentifier() for part in f"{module_name}.{attribute}".split(".")):
            raise ValueError(f"{name!r} is not a dotted name such as `checks.tone`; code within a suite is not run")
        module = _import(module_name)
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ValueError(f"{module_name} has no function {attribute!r}")
    found: Callable[..., Any] = function
    return found


def _import(name: str) -> Any:
    # As `python -m` does: the project's own modules are found from the current folder.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except RAISED as error:
        raise ValueError(f"cannot import {name!r}: {type(error).__name__}: {error}") from None


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"the file {str(path)!r} does not exist")
    # A name of its own, under which dataclasses, pickle and others look the module up.
    name = f"{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"the file {str(path)!r} is not Python")
    module = importlib.util.module_from_spec(spec)
    # As `python FILE` does: what is beside the file can be imported.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except RAISED as error:
        sys.modules.pop(name, None)
        raise ValueError(f"cannot import {str(path)!r}: {type(error).__name__}: {error}") from None
    return module
