"""Rules that hold for every test of the project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A run says the same of the same code each time, on a busy machine too: examples follow from the
# test, and neither slow nor picky generation is a failure.
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("steady")

TESTS = Path(__file__).parent
WITHOUT_ENGINE = ("unit", "golden")
ENGINE_PROBLEM = pytest.StashKey[str]()
PROBE_TIMEOUT_S = 30


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests whose place and mark disagree: one that nobody expects an engine of has none."""
    wrong = [problem for item in items if (problem := _misplaced(item))]
    if wrong:
        raise pytest.UsageError(*wrong)


def _misplaced(item: pytest.Item) -> str:
    if TESTS not in item.path.parents:
        return ""
    room = item.path.relative_to(TESTS).parts[0]
    is_marked = item.get_closest_marker("engine") is not None
    if room in WITHOUT_ENGINE and is_marked:
        return (
            f"{item.nodeid}: tests of tests/{room} run without an engine; move it to tests/engine"
        )
    if room not in WITHOUT_ENGINE and not is_marked:
        return f"{item.nodeid}: mark it `engine`, or move it to tests/unit"
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail, and never skip, where a test needs an engine and none answers."""
    if item.get_closest_marker("engine") is None:
        return
    stash = item.session.stash
    if ENGINE_PROBLEM not in stash:
        stash[ENGINE_PROBLEM] = _engine_problem()
    if stash[ENGINE_PROBLEM]:
        pytest.fail(stash[ENGINE_PROBLEM], pytrace=False)


def _engine_problem() -> str:
    host = os.environ.get("DOCKER_HOST", "the current Docker context")
    argv = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        answer = str(error)
    else:
        if done.returncode == 0:
            return ""
        answer = done.stderr.strip()
    return (
        f"no Docker Engine answers at {host}: {answer}\n"
        "start one with `python build.py engine ensure` and set DOCKER_HOST to what it prints"
    )
