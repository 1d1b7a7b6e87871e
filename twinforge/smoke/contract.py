"""What is asked of one image, and what its checks make together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.smoke.rules import Rule, Severity, load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.model.recipe import Smoke

__all__ = [
    "CONTRACT_LIMITS",
    "NOT_RUN",
    "Asked",
    "Check",
    "Limits",
    "Partner",
    "SmokeReport",
    "command_check",
    "invocation_check",
    "is_silent",
    "required",
    "required_checks",
]

NOT_RUN = "did not run"
"""How the detail of such a check begins."""

_IMAGE, _OK = "image", 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each step may take.

    Attributes:
        train_s: A whole training run.
        train_stop_s: From SIGTERM to the end of ``train``.
        ping_s: One answer of ``/ping``.
        request_s: One answer of ``/invocations``.
        stop_s: From SIGTERM to the end of ``serve``, where the recipe has no shorter time.
        connect_s: Until a connection is accepted.
        load_s: How long many requests at once are sent.
    """

    train_s: float
    ping_s: float
    request_s: float
    stop_s: float
    train_stop_s: float = 120.0
    connect_s: float = 0.25
    load_s: float = 3.0


CONTRACT_LIMITS = Limits(train_s=300.0, ping_s=2.0, request_s=60.0, stop_s=30.0)
"""SageMaker's; those of a whole training run and of the load, which have none, are ours."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A check that is asked of one image: its rule, and how bad it is for this recipe."""

    id: str
    rule: Rule
    severity: Severity


@dataclass(frozen=True, slots=True)
class Partner:
    """The CPU variant of the same kind as a CUDA variant; ``image_id`` is empty where not built."""

    variant: str
    image_id: str


@dataclass(frozen=True, slots=True)
class Check:
    """What one check came to; ``detail`` may have several lines, the first says it all."""

    id: str
    passed: bool
    detail: str
    seconds: float
    severity: Severity = Severity.ERROR

    @property
    def ran(self) -> bool:
        """Whether it ran; one that did not has not passed."""
        return self.passed or not self.detail.startswith(NOT_RUN)

    @property
    def is_good(self) -> bool:
        """Whether the image may be pushed as far as this check goes."""
        return self.passed or self.severity is Severity.WARNING


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """What the checks of one image came to.

    Attributes:
        image_id: ``sha256:...`` of the image that was checked.
        variant: The variant's id.
        checks: In the order of the rules; those that did not run are among them, not passed.
        ping_s: From the start of ``serve`` to its first 200; 0 where it never came.
        whole: Whether all checks that apply were asked for, and not only some of them.
    """

    image_id: str
    variant: str
    checks: tuple[Check, ...]
    ping_s: float
    whole: bool = True

    @property
    def passed(self) -> bool:
        """Whether no check failed that is an error, and all ran that every image must pass."""
        seen = {check.id for check in self.checks}
        always = {
            rule.id
            for rule in load_rules()
            if rule.group == _IMAGE and not rule.applies and not rule.each
        }
        used = "train" in seen or "serve.ping" in seen
        return (
            self.whole and always <= seen and used and all(check.is_good for check in self.checks)
        )


def invocation_check(index: int) -> str:
    """Return the id of the check of one invocation, counted from 0.

    >>> invocation_check(0)
    'serve.invocations[0]'
    """
    return f"serve.invocations[{index}]"


def command_check(name: str) -> str:
    """Return the id of the check of one of the recipe's commands.

    >>> command_check("imports")
    'image.commands[imports]'
    """
    return f"image.commands[{name}]"


def is_silent(smoke: Smoke) -> bool:
    """Whether a recipe declares nothing that could be trained or asked."""
    return smoke.train is None and not smoke.invocations


def required(smoke: Smoke, *, cuda: str = "", partner: Partner | None = None) -> tuple[Asked, ...]:
    """Return all checks that are asked of an image of this recipe, in order.

    A recipe that declares nothing is required to have trained and served all the same: what
    nobody described can't be checked, and so can't pass.

    Args:
        smoke: What the recipe declares.
        cuda: The variant's CUDA version; empty without.
        partner: What the image is compared with. One that is not built here can't be compared
            with, which is then a warning.
    """
    facts = {
        "train": smoke.train is not None or is_silent(smoke),
        "channels": smoke.train is not None and bool(smoke.train.channels),
        "invocations": bool(smoke.invocations),
        "answers": any(one.status == _OK for one in smoke.invocations),
        "resumes": smoke.train is not None and bool(smoke.train.resumes),
        "user": bool(smoke.user),
        "read_only_root": smoke.read_only_root,
        "cuda": bool(cuda),
        "cpu": not cuda,
        "pair": partner is not None,
    }
    return tuple(
        Asked(name, rule, _severity(smoke, name, rule, partner))
        for rule in load_rules()
        if all(facts[condition] for condition in rule.applies)
        for name in _names(smoke, rule)
    )


def required_checks(
    smoke: Smoke, *, cuda: str = "", partner: Partner | None = None
) -> tuple[str, ...]:
    """Return the ids of all checks that are asked of an image of this recipe, in order."""
    return tuple(asked.id for asked in required(smoke, cuda=cuda, partner=partner))


def _names(smoke: Smoke, rule: Rule) -> Iterator[str]:
    if rule.each == "invocations":
        yield from map(invocation_check, range(len(smoke.invocations)))
    elif rule.each == "commands":
        yield from (command_check(command.name) for command in smoke.commands)
    else:
        yield rule.id


def _severity(smoke: Smoke, name: str, rule: Rule, partner: Partner | None) -> Severity:
    if "pair" in rule.applies and partner is not None and not partner.image_id:
        return Severity.WARNING
    change = smoke.severities.get(name) or smoke.severities.get(rule.id)
    return Severity(change.severity) if change else rule.severity
