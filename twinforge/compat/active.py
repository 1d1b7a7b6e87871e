"""The project's own data, in force while a block runs.

Queries take no project: they answer from the data that comes with Twinforge and from what the
project adds to it. ``active`` is that addition, and ``per_project`` a cache that keeps the answers
of projects apart. It follows the context (:mod:`contextvars`): a thread that is started inside the
block begins without it, unless it is run in a copy of the context.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache, wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["NOTHING", "Additions", "active", "in_force", "per_project"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_PROJECTS = 4
"""How many projects' answers are kept; a process rarely sees a second one."""


@dataclass(frozen=True, slots=True, eq=False)
class Additions:
    """What a project adds: the validated sections by the name of the data file they belong to."""

    tables: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


NOTHING = Additions()
"""No project, or one that adds nothing."""

_ACTIVE: ContextVar[Additions] = ContextVar("twinforge_compat_additions", default=NOTHING)


def active() -> Additions:
    """Return what the project adds here."""
    return _ACTIVE.get()


@contextmanager
def in_force(additions: Additions) -> Iterator[None]:
    """Answer with a project's additions while the body runs."""
    token = _ACTIVE.set(additions)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def per_project(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Cache a query's answers, those of each project apart."""
    of_nothing: Callable[..., _R] = cache(function)

    @lru_cache(maxsize=_PROJECTS * 64)
    def of_project(additions: Additions, *args: Any, **kwargs: Any) -> _R:
        del additions
        return function(*args, **kwargs)

    asked: Callable[..., _R] = of_project

    @wraps(function)
    def ask(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        additions = active()
        if additions is NOTHING:
            return of_nothing(*args, **kwargs)
        return asked(additions, *args, **kwargs)

    return ask
