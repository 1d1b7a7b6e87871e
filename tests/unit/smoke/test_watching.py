from __future__ import annotations

import threading

import pytest

from twinforge.smoke.installers import changed_packages, installers, judge_installers
from twinforge.smoke.watching import watching


class Container:
    """Shows one process after the other; the last one for ever."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.seen_last = threading.Event()

    def processes(self) -> tuple[str, ...]:
        if len(self.lines) == 1:
            self.seen_last.set()
            return tuple(self.lines)
        return (self.lines.pop(0),)


@pytest.mark.parametrize(
    "line",
    [
        "pip install numpy",
        "/opt/venv/bin/pip3.11 install numpy",
        "/opt/venv/bin/python -m pip install numpy",
        "python3 -I -m ensurepip",
        "/usr/bin/python3 /usr/local/bin/pip install numpy",
        "/bin/sh /usr/local/bin/pip install numpy",
        "sh -c pip install numpy",
        "apt-get update",
        "/usr/bin/dpkg --configure -a",
        "uv pip install numpy",
        "npm ci",
    ],
)
def test_what_installs_is_known(line: str) -> None:
    assert installers([line]) == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "/opt/venv/bin/python -m gunicorn --bind :8080 app",
        "python3 /program/serve pip",
        "uvicorn app:application",
        "npm start",
        "node server.js",
        "/program/aptitude-test-server",
        "python3",
        "",
    ],
)
def test_what_only_sounds_like_it_is_not_taken_for_it(line: str) -> None:
    assert installers([line]) == ()


def test_changes_of_packages_are_seen_and_byte_code_is_none() -> None:
    packages = (
        "/opt/venv/lib/python3.11/site-packages/extra/__init__.py",
        "/program/node_modules/left-pad/index.js",
        "/var/lib/dpkg/status",
    )
    others = (
        "/opt/venv/lib/python3.11/site-packages",
        "/opt/venv/lib/python3.11/site-packages/numpy/__pycache__/core.cpython-311.pyc",
        "/tmp/log",
        "/var/lib/app",
    )
    assert changed_packages([*packages, *others]) == packages


def test_a_container_is_looked_at_until_the_body_ends() -> None:
    container = Container("train", "pip install numpy", "sleep")
    with watching(container) as seen:
        assert container.seen_last.wait(20)
    assert seen.lines == ("train", "pip install numpy", "sleep")
    assert judge_installers(seen.lines, ["/var/lib/dpkg/status", "/var/lib/dpkg/lock"]) == (
        "it started `pip install numpy`; "
        "it changed the installed packages: /var/lib/dpkg/status and 1 more"
    )
    assert judge_installers(["train"], []) == ""
