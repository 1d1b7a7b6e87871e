"""The rules that images are checked against, as data: what, how bad, who says so, when it applies.

``data/contract.yaml`` is the only place that names a check: the order of a report, what a recipe
requires, ``--list`` and the documentation follow from it. The steps that do the checks are in
:mod:`twinforge.smoke.checks`, one module per group.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twinforge.compat.datayaml import read_data
from twinforge.errors import TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Rule", "Severity", "load_rules", "parse_rules"]

_CONTRACT = "contract.yaml"


class Severity(Enum):
    """What a failed check is: an error keeps the image from being pushed, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """A thing that an image must, or should, do.

    Attributes:
        id: Of the check. With ``each``, one check per item stands for it: ``serve.invocations[0]``.
        what: The rule in one sentence.
        source: Who says so.
        severity: Unless the recipe has another.
        group: Whose steps do it; the checks of a group share what is expensive to make.
        applies: What must be so for the rule to apply; all of it.
        needs: Checks without which this one can't run; those that don't apply are not needed.
        each: What of the recipe there is one check per item of; empty for a single check.
    """

    id: str
    what: str
    source: str
    severity: Severity
    group: str
    applies: tuple[str, ...]
    needs: tuple[str, ...]
    each: str


Condition = Literal[
    "train",  # the recipe declares a training run
    "channels",  # that run has channels
    "invocations",  # it declares requests
    "answers",  # one of them must be answered with 200
    "resumes",  # training goes on from checkpoints
    "user",  # another user is declared
    "read_only_root",
    "cuda",  # the variant has CUDA
    "cpu",  # it has none
    "pair",  # the CPU image of the same kind is there too
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _RulePart(_Strict):
    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")]
    what: Annotated[str, Field(min_length=1, pattern=r"\.$")]
    source: Annotated[str, Field(min_length=1)]
    severity: Literal["error", "warning"] = "error"
    applies: list[Condition] = []
    needs: list[str] = []
    each: Literal["", "invocations", "commands"] = ""


class _GroupPart(_Strict):
    group: Annotated[str, Field(min_length=1)]
    checks: Annotated[list[_RulePart], Field(min_length=1)]


class _ContractFile(_Strict):
    contract: Literal[1]
    sources: dict[str, Annotated[str, Field(min_length=1)]]
    groups: Annotated[list[_GroupPart], Field(min_length=1)]


@cache
def load_rules() -> tuple[Rule, ...]:
    """Return the rules that Twinforge ships, in order."""
    return parse_rules((files("twinforge.smoke") / "data" / _CONTRACT).read_text("utf-8"))


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Parse the text of a contract.

    Raises:
        TwinforgeError: It is not one: a key is unknown, an id is there twice, a check needs one
            that does not come before it, a source is not in the list of sources.
    """
    try:
        file = _ContractFile.model_validate(read_data(text))
    except (yaml.YAMLError, ValidationError) as error:
        message = f"'{_CONTRACT}' can't be read: {error}"
        raise TwinforgeError(message) from error
    rules = tuple(
        Rule(
            part.id,
            part.what,
            file.sources.get(part.source, ""),
            Severity(part.severity),
            group.group,
            tuple(part.applies),
            tuple(part.needs),
            part.each,
        )
        for group in file.groups
        for part in group.checks
    )
    cited = {part.source for group in file.groups for part in group.checks}
    problems = [*_problems(rules)]
    problems += [f"the source '{key}' is not cited" for key in sorted(file.sources.keys() - cited)]
    problems += [f"the source '{key}' is not listed" for key in sorted(cited - file.sources.keys())]
    if problems:
        message = f"'{_CONTRACT}': {'; '.join(problems)}"
        raise TwinforgeError(message)
    return rules


def _problems(rules: Sequence[Rule]) -> Iterator[str]:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            yield f"'{rule.id}' is there twice"
        for need in rule.needs:
            if need not in seen:
                yield f"'{rule.id}' needs '{need}', which does not come before it"
        seen.add(rule.id)
