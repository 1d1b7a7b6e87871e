"""A run in which nothing changed, answered from what the last run found.

Reading recipes, locks and templates takes longer than a build in which nothing changes, so a run
that found everything up to date leaves a note: the state of every file that it was decided by, and
its answer. Where that state is the same and the engine still has the very images, the answer is.
Any doubt, a missing note included, leads to the whole way. Nothing heavy is imported here.

A push leaves a note, too; what it says is in a registry is looked at there all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import twinforge
from twinforge import process
from twinforge.errors import TwinforgeError
from twinforge.report.summary import BuildRow, BuildSummary
from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.build.plan import Node
    from twinforge.model.variant import Variant

__all__ = ["inputs_of", "read_note", "recall", "remember", "state_of", "write_note"]

_FORMAT = 2
_FOLDER = ".twinforge"
_UNCHANGED = "unchanged.json"
_STATE = ("moved.json", "ledger.json")
_ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "PATH", "HOME")
_TIMEOUT_S = 10.0


def recall(root: Path, environ: Mapping[str, str], selectors: Sequence[str]) -> BuildSummary | None:
    """Return the summary of the last run if a run now would find just the same, else None."""
    try:
        answer = read_note(root, environ, _UNCHANGED, {"selectors": list(selectors)})
        if answer is None:
            return None
        return BuildSummary(tuple(BuildRow(**row) for row in answer["rows"]))
    except (OSError, ValueError, KeyError, TypeError, TwinforgeError):
        return None


def remember(
    workspace: Workspace,
    selectors: Sequence[str],
    nodes: Sequence[Node],
    references: Mapping[str, str],
    summary: BuildSummary,
) -> None:
    """Leave the note for :func:`recall`: every node is current.

    Args:
        workspace: Of the run.
        selectors: As they were given.
        nodes: What was asked for.
        references: References of the images -> image id.
        summary: What the run ended with.
    """
    write_note(
        workspace,
        _UNCHANGED,
        {"selectors": list(selectors)},
        inputs=inputs_of(workspace, (node.variant for node in nodes)),
        images=references,
        answer={"rows": [asdict(row) for row in summary.rows]},
    )


def read_note(
    root: Path, environ: Mapping[str, str], name: str, question: Mapping[str, object]
) -> Mapping[str, Any] | None:
    """Return the answer in a note, if it is of this question and everything is as it was, else None.

    Raises:
        OSError, ValueError, KeyError, TypeError, TwinforgeError: There is none that can be used.
    """
    note = json.loads((root / _FOLDER / name).read_bytes())
    if note["format"] != _FORMAT or note["question"] != question:
        return None
    if note["state"] != state_of(root, environ, note["inputs"]):
        return None
    if not _holds(note["engine"], note["images"]):
        return None
    answer: Mapping[str, Any] = note["answer"]
    return answer


def write_note(  # noqa: PLR0913 - all that a note holds
    workspace: Workspace,
    name: str,
    question: Mapping[str, object],
    *,
    inputs: Sequence[str],
    images: Mapping[str, str],
    answer: Mapping[str, object],
) -> None:
    """Write down an answer with the state of all that it depends on.

    Args:
        workspace: Of the run.
        name: Of the note's file.
        question: What was asked, as JSON has it.
        inputs: Files and folders of the project, as :func:`inputs_of` gives them.
        images: References of the images in the engine -> image id.
        answer: As JSON has it.
    """
    write_json(
        workspace.root / _FOLDER / name,
        {
            "format": _FORMAT,
            "question": question,
            "inputs": list(inputs),
            "state": state_of(workspace.root, workspace.environ, inputs),
            "engine": {"docker": workspace.engine.docker, "host": workspace.engine.host},
            "images": dict(images),
            "answer": answer,
        },
    )


def inputs_of(workspace: Workspace, variants: Iterable[Variant]) -> list[str]:
    """Return the files and folders of the project that decide the images and what is asked of them."""
    inputs = {"matrix.yaml", "recipes", "images", "compat"}
    for found in map(workspace.project.recipe_for, variants):
        inputs |= {found.program, found.template or "matrix.yaml"}
        inputs |= {path for case in found.smoke.invocations for path in (case.body, case.labels)}
        inputs |= set(found.smoke.train.channels.values()) if found.smoke.train else set()
    return sorted(inputs - {""})


def _holds(engine: Mapping[str, str], images: Mapping[str, str]) -> bool:
    """Whether the engine has these images under these references."""
    argv = [engine["docker"], "--host", engine["host"], "image", "inspect", "--format", "{{.Id}}"]
    found = process.run([*argv, *images], timeout_s=_TIMEOUT_S, check=False)
    return found.status == 0 and found.stdout.split() == list(images.values())


def state_of(root: Path, environ: Mapping[str, str], inputs: Sequence[str]) -> str:
    """Return a digest of the state of all that an answer depends on, by size, mode and time."""
    digest = hashlib.sha256()
    for name in _ENGINE_VARIABLES:
        digest.update(f"{name}={environ.get(name, '')}\n".encode())
    home = environ.get("DOCKER_CONFIG") or f"{environ.get('HOME', '')}/.docker"
    packages = [Path(twinforge.__file__).parent, _folder_of("uv")]
    roots = [*packages, *(root / name for name in inputs)]
    roots += [root / ".twinforge" / name for name in _STATE]
    for path in (*roots, Path(home) / "config.json"):
        for line in _stats(path, path.resolve(), ()):
            digest.update(line)
    return digest.hexdigest()


def _folder_of(package: str) -> Path:
    """Return where a package lies, without importing it or asking for its version: both are slow."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else Path()


def _stats(path: Path, real: Path, above: tuple[Path, ...]) -> Iterator[bytes]:
    """Yield a line for each file; ``real`` is the path without links, ``above`` those around it."""
    try:
        found = path.stat()
    except OSError:
        yield f"{path} -\n".encode()
        return
    if not path.is_dir():
        yield f"{path} {found.st_size} {found.st_mtime_ns} {found.st_mode}\n".encode()
        return
    if real in above:  # a link to a folder around it, as which a program leaves it out
        return
    with os.scandir(path) as entries:
        listed = sorted(
            (one.name, one.is_symlink()) for one in entries if one.name != "__pycache__"
        )
    yield f"{path} {' '.join(name for name, _ in listed)}\n".encode()
    for name, is_link in listed:
        inner = (path / name).resolve() if is_link else real / name
        yield from _stats(path / name, inner, (*above, real))
