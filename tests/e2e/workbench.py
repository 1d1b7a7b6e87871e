"""The program as a user runs it: a child process in a copy of the checkout, or of a little project."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CHECKOUT = Path(__file__).parents[2]
PROJECTS = Path(__file__).parent / "projects"
PROGRAM = ("build.py", "twinforge")
SHIPPED = ("matrix.yaml", "recipes", "images")
SHIPPED_PREFIX = "ml"
BASES_LOCK = "images/bases.lock.json"
DEADLINE_S = 300
PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has ended: its exit status, its results, and its progress and errors."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that a user saw."""
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Project:
    """A project with images of its own: ``prefix`` is in the name of each, and in no other's."""

    root: Path
    program: Path
    prefix: str
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Done:
        """Run the program to its end."""
        done = subprocess.run(
            self._argv(arguments),
            cwd=self.root,
            env={**os.environ, **self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Done:
        """Run what must succeed."""
        done = self.run(*arguments, stdin=stdin, env=env)
        assert done.status == 0, f"{' '.join(arguments)} ended with {done.status}:\n{done.said}"
        return done

    def json(self, *arguments: str) -> Any:
        """Run what must succeed and return what it printed."""
        return json.loads(self.must(*arguments, "--json").out)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run the program in a process group of its own, as a shell does."""
        child = subprocess.Popen(
            self._argv(arguments),
            cwd=self.root,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()

    def read(self, path: str) -> str:
        """Return the text of a file."""
        return (self.root / path).read_text("utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that is there."""
        text = self.read(path)
        assert old in text, f"{path} has no {old!r}"
        (self.root / path).write_text(text.replace(old, new), "utf-8")

    def set_version(self, recipe: str) -> str:
        """Give a recipe a version that no image has yet, so that it is really built."""
        version = f"9.9.{secrets.randbelow(10**9)}"
        path = f"recipes/{recipe}.yaml"
        (old,) = (line for line in self.read(path).splitlines() if line.startswith("version: "))
        self.edit(path, old, f"version: {version}")
        return version

    def image_id(self, recipe: str, tag: str) -> str:
        """Return the id of an image, or nothing where the engine has none of that name."""
        reference = f"{self.prefix}/{recipe}:{tag}"
        argv = ["docker", "image", "inspect", "--format", "{{.Id}}", reference]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    def remove_images(self) -> None:
        """Remove every image of this project from the engine."""
        names = docker(
            *("image", "ls", "--filter", f"reference={self.prefix}/*"),
            *("--format", "{{.Repository}}:{{.Tag}}"),
        ).split()
        if names:
            docker("image", "rm", *names)

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, str(self.program), *arguments]


def copy_checkout(folder: Path) -> Project:
    """Return a copy of the shipped project and of the program in it, with images of its own."""
    _copy_files(folder, *PROGRAM, *SHIPPED)
    return _with_own_images(Project(folder, folder / "build.py", SHIPPED_PREFIX))


def copy_tiny(folder: Path, program: Path) -> Project:
    """Return a copy of the little project, whose base is locked as the shipped project's is."""
    return copy_project("tiny", folder, program)


def copy_project(name: str, folder: Path, program: Path) -> Project:
    """Return a copy of a project of these tests, with images of its own."""
    shutil.copytree(PROJECTS / name, folder)
    (folder / BASES_LOCK).parent.mkdir(exist_ok=True)
    shutil.copy(CHECKOUT / BASES_LOCK, folder / BASES_LOCK)
    return _with_own_images(Project(folder, program, SHIPPED_PREFIX))


def fork(project: Project, folder: Path) -> Project:
    """Return a copy of a project that nobody has built, with versions and images of its own."""
    shutil.copytree(project.root, folder)
    copy = _with_own_images(Project(folder, project.program, project.prefix))
    for path in sorted((folder / "recipes").iterdir()):
        copy.set_version(path.stem)
    return copy


def machine_bundle() -> Path:
    """Return the certificate authorities that this machine trusts."""
    return Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")


def docker(*arguments: str) -> str:
    """Return what the Docker client prints; it must succeed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def wait_until(claim: Callable[[], bool], what: str) -> None:
    """Wait for what must come about; that it takes too long is a failure."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline_s, what
        time.sleep(PAUSE_S)


def _with_own_images(project: Project) -> Project:
    own = replace(project, prefix=f"e2e-{secrets.token_hex(5)}")
    own.edit("matrix.yaml", f'"{project.prefix}/{{recipe}}"', f'"{own.prefix}/{{recipe}}"')
    return own


def _copy_files(folder: Path, *paths: str) -> None:
    """Copy what git has, or would have, of these paths; modes stay."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        source = CHECKOUT / name
        if name and source.is_file():  # a file can be deleted and still be in the index
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
