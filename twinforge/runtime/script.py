"""Script mode: an entry point that a notebook sends along, in place of the image's trainer.

Nothing is installed.
"""

from __future__ import annotations

import ast
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from twinforge.runtime.code import code_folder
from twinforge.runtime.job import JobError
from twinforge.runtime.toolkit import script_arguments, script_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.runtime.job import Job

__all__ = ["Script", "find_script", "missing_packages", "run_script"]

_REQUIREMENTS = "requirements.txt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PAUSE_S = 0.05


@dataclass(frozen=True)
class Script:
    """An entry point: its path below the folder of the code that it came with, and that folder."""

    program: str
    folder: Path

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / self.program

    @property
    def requirements(self) -> tuple[Path, ...]:
        """The lists of packages that it came with."""
        found = dict.fromkeys((self.folder / _REQUIREMENTS, self.path.parent / _REQUIREMENTS))
        return tuple(path for path in found if path.is_file())

    @property
    def is_trainer(self) -> bool:
        """Whether it defines ``train(job)`` for the runtime to call, and is no program by itself.

        A program has a ``__main__`` block, or calls its ``train`` when it is run.
        """
        if self.path.suffix != ".py":
            return False
        try:
            tree = ast.parse(self.path.read_bytes())
        except (SyntaxError, ValueError):
            return False  # running it says where
        functions = {
            node.name: node
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        names = (
            node for one in tree.body if isinstance(one, ast.If) for node in ast.walk(one.test)
        )
        is_program = any(isinstance(node, ast.Name) and node.id == "__name__" for node in names)
        return (
            "train" in functions
            and _takes_one(functions["train"].args)
            and not is_program
            and "train" not in _called(tree, functions)
        )


def find_script(
    settings: Mapping[str, str], environ: Mapping[str, str], root: Path
) -> Script | None:
    """Return the entry point that a job names, with its code fetched; None where it names none.

    Args:
        settings: SageMaker's own hyperparameters.
        environ: The environment, whose upper-case names say the same.
        root: ``/opt/ml``; code goes to ``code`` in it.

    Raises:
        JobError: It is not there, or can't be had.
    """

    def said(name: str) -> str:
        return settings.get(name, "") or environ.get(name.upper(), "")

    program, source = said("sagemaker_program"), said("sagemaker_submit_directory")
    if not program:
        return None
    if PurePosixPath(program).is_absolute() or ".." in PurePosixPath(program).parts:
        message = f"the program '{program}' is not a path inside its folder"
        raise JobError(message)
    folder = code_folder(source, root)
    script = Script(program, folder)
    if not script.path.is_file():
        message = f"the program '{program}' is not in '{source or folder}'"
        raise JobError(message)
    if script.path.suffix not in (".py", ".sh"):
        message = f"the program '{program}' is neither a Python file nor a shell script"
        raise JobError(message)
    return script


def run_script(job: Job, script: Script) -> None:
    """Run an entry point that is a program, as SageMaker's own containers do.

    Raises:
        JobError: A hyperparameter can't be handed to it, or the image has not what runs it.
        SystemExit: It ended with another status than 0. What its code raises is raised as it is.
    """
    for name, value in script_environment(job, script.folder, script.program).items():
        try:
            os.environ[name] = value
        except ValueError as error:
            message = f"'{name}' can't be a variable of the script: {error}"
            raise JobError(message) from error
    folders = (str(script.folder), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    os.chdir(script.folder)
    arguments = [str(script.path), *script_arguments(job.hyperparameters)]
    if script.path.suffix == ".sh":
        _run_shell(job, [*_interpreter(script), *arguments])
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a script knows nothing of ours
    sys.path[:0] = dict.fromkeys((str(script.path.parent), str(script.folder)))
    sys.argv = arguments
    runpy.run_path(str(script.path), run_name="__main__")


def missing_packages(requirements: Path) -> tuple[str, ...]:
    """Return the packages of a list that are not installed; versions are not looked at."""
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - slow

    missing = []
    for line in requirements.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _NAME.match(line.strip())
        if found is None:
            continue
        try:
            distribution(found[0])
        except PackageNotFoundError:
            missing.append(found[0])
    return tuple(missing)


def _takes_one(given: ast.arguments) -> bool:
    """Whether a function can be called with one value."""
    places = len(given.posonlyargs) + len(given.args)
    needed = places - len(given.defaults) + sum(one is None for one in given.kw_defaults)
    return needed <= 1 and (places >= 1 or given.vararg is not None)


def _called(tree: ast.Module, functions: Mapping[str, ast.AST]) -> set[str]:
    """Return the names that a module calls when it is run, also by functions of its own."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    waiting = [node for node in tree.body if not isinstance(node, kinds)]
    found: set[str] = set()
    while waiting:
        for name in set(_calls(waiting.pop())) - found:
            found.add(name)
            if name in functions:
                waiting.append(functions[name])  # type: ignore[arg-type] # a statement like these
    return found


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def _interpreter(script: Script) -> list[str]:
    """Return what runs a shell script: what its first line says, else ``sh``."""
    with script.path.open("rb") as file:
        line = file.readline(256).decode(errors="replace")
    return line[2:].split(maxsplit=1) if line.startswith("#!") else ["/bin/sh"]


def _run_shell(job: Job, command: list[str]) -> None:
    """Run a shell script; a stop is for it and for what it has started, as Ctrl-C would be.

    A shell that gets SIGTERM alone ends at once, and the container with it, before the program that
    it runs has heard of it.
    """
    sys.stdout.flush()
    try:
        child = subprocess.Popen(command, start_new_session=True)
    except OSError as error:
        message = f"the program can't be run by '{command[0]}': {error.strerror}"
        raise JobError(message) from error

    def stop(*_: object) -> None:
        job.stop.set()
        try:
            os.killpg(child.pid, signal.SIGTERM)
        except ProcessLookupError:
            return

    signal.signal(signal.SIGTERM, stop)
    if job.stopping:
        stop()
    code = child.wait()
    while job.stopping and _has_members(child.pid):
        time.sleep(_PAUSE_S)
    if code < 0:  # the same way, so that it is told apart from a status
        if -code != signal.SIGKILL:  # of which nothing can be set
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    raise SystemExit(code)


def _has_members(group: int) -> bool:
    """Whether a process of a group still runs; of those that have ended, not all are waited for."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, found = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(found) == group and state != "Z":
            return True
    return False
