"""What verbs that work on variants have in common: selectors, and the hint of the first failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.build.scheduler import Outcome

__all__ = ["SELECTORS", "first_hint", "selectors_argument"]

SELECTORS = """\b
SELECTOR is a recipe (digits), a variant (digits/cpu-py3.11-debian12), a
pattern (digits/*-py3.11-*), axis values (accelerator=cpu,os=debian-*), a group
(digits:pr, :pr) or changed-since=REV, which asks git. Several select what any of
them does. Without one: the group `default` if there is one, else all.
"""


def selectors_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb its selectors."""
    return click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")(command)


def first_hint(outcomes: Sequence[Outcome[Any, Any]]) -> str:
    """Return the first hint among the failures, or an empty string."""
    hints = [outcome.error.hint for outcome in outcomes if outcome.error and outcome.error.hint]
    return hints[0] if hints else ""
