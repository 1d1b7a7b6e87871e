"""What is checked, one rule a line, and what the checks of one image make together.

The table is the only place that names a check: the order of a report, what a recipe requires and
what the documentation lists all follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.model.recipe import Smoke

__all__ = [
    "CONTRACT_LIMITS",
    "NOT_RUN",
    "RULES",
    "Check",
    "Limits",
    "Rule",
    "SmokeReport",
    "invocation_check",
    "required_checks",
]

NOT_RUN = "did not run"
"""How the detail of such a check begins."""

_IMAGE, _TRAIN, _INVOKE, _SERVE = "image", "train", "invocation", "serve"


@dataclass(frozen=True, slots=True)
class Rule:
    """A thing that an image must do.

    Attributes:
        id: Of the check; ``serve.invocations`` stands for one check per invocation of the recipe.
        what: The rule in one sentence.
        source: Who says so.
        part: ``image``, or what the recipe must declare for the rule to apply.
    """

    id: str
    what: str
    source: str
    part: str


RULES = (
    Rule(
        "image.no-entrypoint",
        "The image sets neither ENTRYPOINT nor CMD, so that 'train' and 'serve' are what runs.",
        "SageMaker developer guide, 'How SageMaker runs your training image'",
        _IMAGE,
    ),
    Rule(
        "programs",
        "Executables named 'train' and 'serve' are on the image's PATH.",
        "SageMaker developer guide, 'How SageMaker runs your training image'",
        _IMAGE,
    ),
    Rule(
        "installed",
        "The Python packages of /opt/venv are exactly those of the lock.",
        "Twinforge, parity of what was built",
        _IMAGE,
    ),
    Rule(
        "train",
        "Without a network, 'train' ends with status 0, leaves files in /opt/ml/model, none of "
        "them a link, and no /opt/ml/output/failure.",
        "SageMaker developer guide, 'How SageMaker signals algorithm success and failure'",
        _TRAIN,
    ),
    Rule(
        "train.fails-properly",
        "Without channels and with an unknown hyperparameter, 'train' ends with another status "
        "and says why in /opt/ml/output/failure.",
        "SageMaker developer guide, 'How SageMaker signals algorithm success and failure'",
        _TRAIN,
    ),
    Rule(
        "serve.ping",
        "GET /ping on port 8080 answers 200 within 2 s, and does so within the recipe's time.",
        "SageMaker developer guide, 'Use your own inference code with hosting services'",
        _SERVE,
    ),
    Rule(
        "serve.invocations",
        "POST /invocations answers as the recipe says.",
        "SageMaker developer guide, 'Use your own inference code with hosting services'",
        _INVOKE,
    ),
    Rule(
        "serve.stop",
        "SIGTERM ends 'serve' within 30 s, with status 0 or 143.",
        "SageMaker developer guide, 'Use your own inference code with hosting services'",
        _SERVE,
    ),
    Rule(
        "model.read-only",
        "'serve' works with /opt/ml/model mounted read-only, and nothing there changes.",
        "SageMaker developer guide, 'Use your own inference code with hosting services'",
        _SERVE,
    ),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each step may take."""

    train_s: float
    ping_s: float
    request_s: float
    stop_s: float


CONTRACT_LIMITS = Limits(train_s=300.0, ping_s=2.0, request_s=60.0, stop_s=30.0)
"""SageMaker's; that of training, which has none worth the name, is ours."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check came to; ``detail`` may have several lines, the first says it all."""

    id: str
    passed: bool
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """What the checks of one image came to.

    Attributes:
        image_id: ``sha256:...`` of the image that was checked.
        variant: The variant's id.
        checks: In the order of the rules; those that did not run are among them, not passed.
        ping_s: From the start of ``serve`` to its first 200; 0 where it never came.
    """

    image_id: str
    variant: str
    checks: tuple[Check, ...]
    ping_s: float

    @property
    def passed(self) -> bool:
        """Whether every check passed; a report in which a rule for all images is absent did not."""
        seen = {check.id for check in self.checks}
        always = {rule.id for rule in RULES if rule.part == _IMAGE}
        ran = "train" in seen or "serve.ping" in seen
        return always <= seen and ran and all(check.passed for check in self.checks)


def invocation_check(index: int) -> str:
    """Return the id of the check of one invocation, counted from 0.

    >>> invocation_check(0)
    'serve.invocations[0]'
    """
    return f"serve.invocations[{index}]"


def required_checks(smoke: Smoke) -> tuple[str, ...]:
    """Return the ids of all checks that an image of this recipe must pass, in order.

    A recipe that declares nothing is required to have trained and served all the same: what
    nobody described can't be checked, and so can't pass.
    """
    silent = smoke.train is None and not smoke.invocations
    ids: list[str] = []
    for rule in RULES:
        if rule.part == _TRAIN and smoke.train is None and not silent:
            continue
        if rule.part == _INVOKE:
            ids.extend(invocation_check(index) for index in range(len(smoke.invocations)))
        else:
            ids.append(rule.id)
    return tuple(ids)
