"""Which of the checks are done: all, or those that globs of their ids choose."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.suggest import known_or_close
from twinforge.smoke.rules import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twinforge.smoke.contract import Asked
    from twinforge.smoke.rules import Rule

__all__ = ["EVERYTHING", "Choice", "choose", "choose_rules", "refuse_nothing"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Globs of ids: of those to do (all, where empty) and, of these, not to do."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether a check is chosen."""
        wanted = not self.only or any(_matches(name, glob) for glob in self.only)
        return wanted and not any(_matches(name, glob) for glob in self.skip)


EVERYTHING = Choice()


def refuse_nothing(choice: Choice, asked: Iterable[Asked]) -> None:
    """Refuse a choice with a glob that matches none of the checks.

    Args:
        choice: What to do.
        asked: The checks of all images; a glob need not match one of every image.

    Raises:
        UsageError: A glob matches nothing, or nothing is left to do.
    """
    _refuse(choice, list(dict.fromkeys(one.id for one in asked)))


def choose_rules(choice: Choice) -> tuple[Rule, ...]:
    """Return the rules that are chosen, without those that they need.

    Raises:
        UsageError: A glob matches nothing, or nothing is left.
    """
    rules = load_rules()
    _refuse(choice, [rule.id for rule in rules])
    return tuple(rule for rule in rules if choice.takes(rule.id))


def choose(choice: Choice, asked: Sequence[Asked]) -> tuple[Asked, ...]:
    """Return the checks that are chosen and those that they need, in order."""
    wanted = {one.id for one in asked if choice.takes(one.id)}
    for one in reversed(asked):  # what is needed stands before what needs it
        if one.id in wanted:
            wanted |= {need.id for need in asked if need.rule.id in one.rule.needs}
    return tuple(one for one in asked if one.id in wanted)


def _refuse(choice: Choice, names: Sequence[str]) -> None:
    for glob in (*choice.only, *choice.skip):
        if not any(_matches(name, glob) for name in names):
            known = [rule.id for rule in load_rules()]
            if any(_matches(name, glob) for name in known):
                message = f"'{glob}' matches no check that applies to these images"
            else:
                message = f"'{glob}' matches no check{known_or_close(glob, [*names, *known])}"
            raise UsageError(message, hint="see `twinforge smoke --list`")
    if not any(map(choice.takes, names)):
        message = "no check is left to do"
        raise UsageError(message, hint="see `twinforge smoke --list`")


def _matches(name: str, glob: str) -> bool:
    """Whether a glob is of a check, by its own id or by that of its rule, which ``--list`` shows."""
    # the brackets of serve.invocations[0] mean something in a glob
    escaped = glob.replace("[", "[[]")
    return fnmatchcase(name, escaped) or fnmatchcase(name.partition("[")[0], escaped)
