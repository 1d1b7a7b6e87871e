"""What can be seen of an image without training or serving."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import ended, tail
from twinforge.smoke.contract import command_check
from twinforge.smoke.installed import LIST_INSTALLED, PYTHON, compare_installed, parse_installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.model.recipe import CommandSmoke
    from twinforge.smoke.bench import Bench, Step

__all__ = ["image_checks"]

_ROOT = ("", "root", "0")
_SCRIPTS = "code"  # where the training toolkit expects what an image brings along


@contextmanager
def image_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Give the steps of the group ``image``."""
    yield {
        "image.no-entrypoint": partial(_no_entrypoint, bench),
        "image.user": partial(_user, bench),
        "image.opt-ml-empty": partial(_opt_ml_empty, bench),
        "programs": partial(_programs, bench),
        "installed": partial(_installed, bench),
        **{
            command_check(command.name): partial(_command, bench, command)
            for command in bench.recipe.smoke.commands
        },
    }


def _no_entrypoint(bench: Bench) -> str:
    facts = bench.facts
    if facts.entrypoint:
        message = f"the image sets ENTRYPOINT to {json.dumps(facts.entrypoint)}"
        raise SmokeError(message)
    # bases from a registry have one: ubuntu's is /bin/bash
    command = f"; 'train' and 'serve' replace CMD {json.dumps(facts.command)}"
    return f"no ENTRYPOINT{command if facts.command else ''}"


def _user(bench: Bench) -> str:
    user = bench.facts.user
    name = user.partition(":")[0]
    if name not in _ROOT and name.strip("0"):
        message = f"the image sets USER to {json.dumps(user)}"
        raise SmokeError(message)
    return f"USER is {user or 'not set'}"


def _opt_ml_empty(bench: Bench) -> str:
    entries = bench.containers.entries(bench.facts.id, "/opt/ml")
    baked = [
        entry.path
        for entry in entries
        if entry.kind != "folder" and entry.path.partition("/")[0] != _SCRIPTS
    ]
    if baked:
        more = f" and {len(baked) - 1} more" if len(baked) > 1 else ""
        message = f"the image has '/opt/ml/{baked[0]}'{more}, which mounts hide"
        raise SmokeError(message)
    return "nothing is baked into /opt/ml"


def _command(bench: Bench, command: CommandSmoke) -> str:
    limit_s, line = bench.limits.request_s, " ".join(command.run)
    with bench.containers.start(
        bench.facts.id, list(command.run[1:]), entrypoint=[command.run[0]]
    ) as container:
        status = container.wait(limit_s)
        output = container.logs()
    bench.record.log(command_check(command.name), output)
    if status != command.status:
        message = f"`{line}` {ended(status, limit_s)}, not {command.status}\n{tail(output)}"
        raise SmokeError(message)
    if not re.search(command.prints, output, re.MULTILINE):
        message = f"what `{line}` prints does not match '{command.prints}'\n{tail(output)}"
        raise SmokeError(message)
    return f"`{line}` ended with status {status}"


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
        bench.facts.id, ["-c", LIST_INSTALLED], entrypoint=[PYTHON]
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
