"""The smoke of one image: every check that is asked for, group by group, in the contract's order."""

from __future__ import annotations

import threading
from itertools import groupby
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import Bench
from twinforge.smoke.checks import GROUPS
from twinforge.smoke.choice import EVERYTHING, choose
from twinforge.smoke.container import open_containers
from twinforge.smoke.contract import CONTRACT_LIMITS, SmokeReport, is_silent, required
from twinforge.smoke.device import CPU
from twinforge.smoke.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from twinforge.engine.engine import Engine
    from twinforge.events import Listener
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant
    from twinforge.smoke.checks import Group
    from twinforge.smoke.choice import Choice
    from twinforge.smoke.contract import Asked, Limits, Partner
    from twinforge.smoke.device import DeviceAsked

__all__ = ["run_smoke"]

_OF_ALL = frozenset({"image", "binaries"})
"""Groups whose checks need nothing that a recipe declares."""


def run_smoke(  # noqa: PLR0913 - what is smoked, and what it is smoked with
    image: str,
    recipe: Recipe,
    variant: Variant,
    locked: Mapping[str, str],
    *,
    root: Path,
    engine: Engine,
    listener: Listener,
    log: Path,
    limits: Limits = CONTRACT_LIMITS,
    cancelled: threading.Event | None = None,
    choice: Choice = EVERYTHING,
    partner: Partner | None = None,
    device: DeviceAsked = CPU,
) -> SmokeReport:
    """Check an image against SageMaker's contract and its recipe; several may run at once.

    Args:
        image: Its reference or id; what is checked is the id that it has now.
        recipe: Says how to train and what to ask.
        variant: Names the image in events and in the report.
        locked: Name and version of every Python package that must be installed.
        root: The project, to which the recipe's paths are relative.
        engine: Has the image.
        listener: Is told of every check; of the beginning and the end the caller tells.
        log: Gets all that the containers print; replaced.
        limits: How long each step may take.
        cancelled: Set by another thread, ends the smoke early; what did not run did not pass.
        choice: Which checks are done; those that they need are done too.
        partner: Of a CUDA image, the CPU image of the same kind, to be compared with; None where
            the matrix has none.
        device: For which CUDA and GPUs the image is to be. One with CUDA gets the machine's GPUs,
            where the engine offers some.

    Returns:
        One check per rule that applies, passed or not; a failed check is not an exception.

    Raises:
        SmokeError: The engine has no such image.
        MissingToolError: The engine does not answer.
    """
    stop = cancelled or threading.Event()
    everything = required(recipe.smoke, cuda=variant.accelerator.cuda, partner=partner)
    asked = choose(choice, everything)
    silent = is_silent(recipe.smoke)
    record = Record(variant.id, asked, listener, log, silent=silent)
    with open_containers(
        engine, label=variant.id, cancelled=stop, gpus=bool(variant.accelerator.cuda)
    ) as containers:
        facts = containers.inspect(image)
        with containers.volume() as model, containers.network() as network:
            bench = Bench(
                containers=containers,
                facts=facts,
                recipe=recipe,
                variant=variant,
                root=root,
                locked=locked,
                limits=limits,
                model=model,
                network=network,
                partner=partner,
                record=record,
                asked=frozenset(one.id for one in asked),
                device=device,
            )
            for name, checks in groupby(asked, key=lambda one: one.rule.group):
                if stop.is_set():
                    break  # what has not run by now did not pass
                if name in _OF_ALL or not silent:
                    _run_group(bench, record, GROUPS[name], list(checks))
    return SmokeReport(facts.id, variant.id, record.checks, bench.ping_s, asked == everything)


def _run_group(bench: Bench, record: Record, group: Group, asked: Sequence[Asked]) -> None:
    """Do the checks of a group; what it shares is not made when none of them can run."""
    names = [one.id for one in asked]
    first = next((name for name in names if not record.lacks(name)), "")
    if not first:
        for name in names:
            record.can_run(name)
        return
    try:
        with group(bench) as steps:
            for name in names:
                record.check(name, steps[name])
    except SmokeError as error:
        # Only what is around the checks gets here: the start, the log and the removal.
        record.check(first, _failing(error))


def _failing(error: SmokeError) -> Callable[[], str]:
    def step() -> str:
        raise error

    return step
