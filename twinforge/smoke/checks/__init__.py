"""The steps that do the checks, one module per group; ``GROUPS`` is where they are registered.

A group is a context manager: it makes what its checks share (a serving container, say), gives a
step per id of ``data/contract.yaml``, and cleans up. Its steps are done in the order of that file.
A rule with ``each`` has one step per item, by the item's id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from twinforge.smoke.bench import Bench, Step
from twinforge.smoke.checks.image import image_checks
from twinforge.smoke.checks.pair import pair_checks
from twinforge.smoke.checks.restricted import restricted_checks
from twinforge.smoke.checks.serve import serve_checks
from twinforge.smoke.checks.train import train_checks
from twinforge.smoke.checks.train_failures import failure_checks
from twinforge.smoke.checks.train_stop import stop_checks

__all__ = ["GROUPS", "Group"]

Group = Callable[[Bench], AbstractContextManager[Mapping[str, Step]]]

GROUPS: Mapping[str, Group] = {
    "image": image_checks,
    "train": train_checks,
    "train-failures": failure_checks,
    "train-stop": stop_checks,
    "serve": serve_checks,
    "restricted": restricted_checks,
    "pair": pair_checks,
}
"""By the name that ``data/contract.yaml`` gives a group; its order there is what counts."""
