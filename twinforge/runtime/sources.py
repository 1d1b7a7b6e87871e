"""The user's Python files: read as modules, with what they must define, and said so if they don't."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["SourceError", "function_of", "load_source"]


class SourceError(Exception):
    """A user's file is not there, or lacks what it must define."""


def load_source(path: str, what: str) -> ModuleType:
    """Import a file; its folder comes first in the search path, so that it finds its neighbours.

    Args:
        path: The file.
        what: What it is to the user: ``predictor`` or ``trainer``.

    Raises:
        SourceError: It is not there. What its code raises is raised as it is.
    """
    if not path:
        message = f"this image has no {what}; the recipe names one under runtime.{what}"
        raise SourceError(message)
    file = Path(path)
    if not file.is_file():
        message = f"the {what} '{path}' does not exist"
        raise SourceError(message)
    folder = str(file.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        message = f"the {what} '{path}' is not a Python file"
        raise SourceError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # as an import would: dataclasses and pickle look it up there
    spec.loader.exec_module(module)
    return module


def function_of(module: ModuleType, name: str, what: str, *, is_optional: bool = False) -> Any:
    """Return a function of a user's module, or None where it may be missing and is.

    Raises:
        SourceError: It is missing, no function, or ``async``.
    """
    found = getattr(module, name, None)
    if found is None and is_optional:
        return None
    if not callable(found):
        message = f"the {what} '{module.__file__}' defines no function '{name}'"
        raise SourceError(message)
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        message = f"'{name}' of the {what} '{module.__file__}' is 'async', and nobody awaits it"
        raise SourceError(message)
    return found
