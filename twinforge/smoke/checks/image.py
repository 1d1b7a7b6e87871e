"""What can be seen of an image without training or serving."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import ended, tail
from twinforge.smoke.installed import LIST_INSTALLED, PYTHON, compare_installed, parse_installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.bench import Bench, Step

__all__ = ["image_checks"]


@contextmanager
def image_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Give the steps of the group ``image``."""
    yield {
        "image.no-entrypoint": partial(_no_entrypoint, bench),
        "programs": partial(_programs, bench),
        "installed": partial(_installed, bench),
    }


def _no_entrypoint(bench: Bench) -> str:
    for name, value in (("ENTRYPOINT", bench.facts.entrypoint), ("CMD", bench.facts.command)):
        if value:
            message = f"the image sets {name} to {json.dumps(value)}"
            raise SmokeError(message)
    return "neither ENTRYPOINT nor CMD"


def _programs(bench: Bench) -> str:
    names = ("train", "serve")
    found = bench.containers.find_programs(bench.facts, names)
    missing = [name for name in names if name not in found]
    if missing:
        what = " and ".join(f"'{name}'" for name in missing)
        message = f"no executable {what} on the PATH {':'.join(bench.facts.path)}"
        raise SmokeError(message)
    return " and ".join(found[name] for name in names)


def _installed(bench: Bench) -> str:
    limit_s = bench.limits.request_s
    with bench.containers.start(
        bench.facts.id, ["-I", "-c", LIST_INSTALLED], entrypoint=[PYTHON]
    ) as python:
        status = python.wait(limit_s)
        output = python.logs()
    bench.record.log("installed", output)
    if status != 0:
        message = f"{PYTHON} {ended(status, limit_s)}\n{tail(output)}"
        raise SmokeError(message)
    differences = compare_installed(bench.locked, parse_installed(output))
    if differences:
        raise SmokeError("; ".join(differences))
    return f"{len(bench.locked)} packages, all as locked"
