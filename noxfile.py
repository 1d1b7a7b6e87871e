"""What a contributor and CI run: ``nox -s build`` and ``nox -s tests`` are the README's commands."""

from __future__ import annotations

import json
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHON_FILES = ("twinforge", "tests", "benchmarks", "images", "build.py", "noxfile.py")
SHELL_FILES = (".ci/run",)


@nox.session
def build(session: nox.Session) -> None:
    """Build and smoke `digits`, or what is named: `nox -s build -- [SELECTOR]...`."""
    session.install("-e", ".")
    for verb in (["engine", "ensure"], ["check"], ["lock", "--check"], ["render", "--check"]):
        _twinforge(session, *verb)
    # the other recipes take gigabytes, or stand on bases that not everybody can pull
    selectors = session.posargs or ["digits"]
    _twinforge(session, "build", *selectors)
    _twinforge(session, "smoke", *selectors)


@nox.session
def tests(session: nox.Session) -> None:
    """Run everything that must hold: linters, types, imports, and every suite of tests."""
    session.install("-e", ".", *_groups("lint", "types", "tests"))
    _lint(session)
    _types(session)
    was_there = _engine(session) != ""
    _twinforge(session, "engine", "ensure")
    try:
        env = {"DOCKER_HOST": _engine(session)}
        session.run("pytest", *(session.posargs or ["tests"]), env=env)
    finally:
        if not was_there:
            _twinforge(session, "engine", "stop")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, import order of the rooms, shell scripts, Dockerfiles."""
    session.install("-e", ".", *_groups("lint"))
    _lint(session)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    session.install("-e", ".", *_groups("types", "tests"))
    _types(session)


@nox.session
def lock(session: nox.Session) -> None:
    """Pin everything again and render: `nox -s lock -- --upgrade`."""
    session.install("-e", ".")
    _twinforge(session, "engine", "ensure")
    _twinforge(session, "lock", *session.posargs)


@nox.session
def render(session: nox.Session) -> None:
    """Write the generated files from recipes, matrix and locks."""
    session.install("-e", ".")
    _twinforge(session, "render", *session.posargs)


@nox.session
def engine(session: nox.Session) -> None:
    """Set up, show or stop the Docker Engine: `nox -s engine -- ensure|status|stop`."""
    session.install("-e", ".")
    _twinforge(session, "engine", *(session.posargs or ["ensure"]))


@nox.session
def push(session: nox.Session) -> None:
    """Push what was smoked: `nox -s push -- [SELECTOR]... [--registry HOST]`."""
    session.install("-e", ".")
    _twinforge(session, "push", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against hand-written Dockerfiles and write benchmarks/RESULTS.md."""
    session.install("-e", ".", *_groups("tests"))
    _twinforge(session, "engine", "ensure")
    env = {"DOCKER_HOST": _engine(session)}
    session.run("python", "-m", "benchmarks.measure", *session.posargs, env=env)


@nox.session
def dist(session: nox.Session) -> None:
    """Make the wheel and the sdist. `python -m build` would run our build.py, so uv does it."""
    session.install("uv")
    session.run("uv", "build", "--out-dir", "dist", *session.posargs)


def _twinforge(session: nox.Session, *arguments: str) -> None:
    session.run("python", "build.py", *arguments)


def _engine(session: nox.Session) -> str:
    """Return the address of the engine that answers, or an empty string."""
    shown = session.run(
        "python",
        "build.py",
        "engine",
        "status",
        "--json",
        silent=True,
        success_codes=[0, 7],
        stderr=None,
    )
    status = json.loads(str(shown).rpartition("}")[0] + "}")
    return str(status["host"]) if status["reachable"] and status["buildx"] else ""


def _lint(session: nox.Session) -> None:
    session.run("ruff", "check", *PYTHON_FILES)
    session.run("ruff", "format", "--check", *PYTHON_FILES)
    session.run("lint-imports")
    session.run("shellcheck", *SHELL_FILES)
    session.run("hadolint", *(str(path) for path in sorted(Path("images").rglob("Dockerfile"))))


def _types(session: nox.Session) -> None:
    session.run("mypy")


def _groups(*names: str) -> tuple[str, ...]:
    return tuple(nox.project.dependency_groups(PYPROJECT, *names))
