"""The images that are folders of ``tests/projects``: those that keep the contract, and the broken.

``keeping`` is a whole project, and its image the CPU variant's. Every other folder says what is laid
over it, or over another such folder, and that is its whole difference:

- ``program.patch``: what is other in the programs, as ``git diff`` says it, modes included.
- ``files``: further files, by their paths in the image.
- ``binaries.yaml``: further ELF files, by what they say (``Elf`` in ``tests/unit/smoke/elves.py``).
- ``Dockerfile``: the lines, where there is more to them than ``LINES``.
- ``broken.yaml``: which check that breaks, and how it says so (``Broken``).
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.unit.smoke.elves import Elf, fatbin
from twinforge import process
from twinforge.model.load import load_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from twinforge.model.recipe import Recipe

__all__ = [
    "BROKEN",
    "KEEPING",
    "PROJECTS",
    "Broken",
    "base_of",
    "is_over",
    "lay",
    "load_broken",
    "recipe_of",
]

PROJECTS = Path(__file__).parents[1] / "projects"
KEEPING = tuple(sorted(path.name for path in PROJECTS.glob("keeping*")))
BROKEN = tuple(sorted(path.name for path in PROJECTS.glob("broken-*")))
LINES = "FROM keeping-cuda\nCOPY files/ /\n"
_FROM = "FROM "
_EXECUTABLE = 0o111


@dataclass(frozen=True)
class Broken:
    """What a broken image must come to.

    Attributes:
        says: A part of what the failed check says.
        check: Its id; that in the folder's name, before ``_`` and the way in which it is broken,
            where nothing is said.
        too: Checks that fail with it, because they stand on the same thing.
        perhaps: Checks that may fail with it.
        only: Globs of the checks that are done; those of the same group where empty.
        smoke: What is other than in the recipe of ``keeping``, under ``smoke``; null for what is
            not there.
        limits: What is other than in the contract's limits.
    """

    says: str
    check: str
    too: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    smoke: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)


def load_broken(name: str) -> Broken:
    """Read what the image in a folder must come to."""
    settings = yaml.safe_load((PROJECTS / name / "broken.yaml").read_text())
    for key in ("too", "perhaps", "only"):
        settings[key] = tuple(settings.get(key, ()))
    return Broken(**{"check": name.removeprefix("broken-").partition("_")[0], **settings})


def recipe_of(name: str) -> Recipe:
    """Return the recipe of ``keeping`` as the folder of a broken image wants it."""
    with tempfile.TemporaryDirectory() as parent:
        root = shutil.copytree(PROJECTS / "keeping", Path(parent, "project"))
        path = root / "recipes/keeping.yaml"
        recipe = yaml.safe_load(path.read_text())
        changed = _merged(recipe, {"smoke": load_broken(name).smoke})
        path.write_text(yaml.safe_dump(changed))
        return load_project(root).recipe("keeping")


def base_of(name: str) -> str:
    """Return what a folder's image is made from: another folder, or ``base``."""
    lines = _lines(name).splitlines()
    return next(line.split()[1] for line in lines if line.startswith(_FROM))


def is_over(name: str, other: str) -> bool:
    """Whether a folder's image is that of another one, or laid over it, in however many steps."""
    return name == other or (name in (*KEEPING, *BROKEN) and is_over(base_of(name), other))


def lay(client: DockerClient, base: str, name: str, tag: str) -> None:
    """Make the image of a folder from the image that it is laid over.

    BuildKit takes longer to start a build than the engine's old builder takes for all of it.
    """
    data = io.BytesIO()
    with tempfile.TemporaryDirectory() as parent:
        context = Path(parent, name)
        _fill(context, name)
        lines = _lines(name).replace(f"{_FROM}{base_of(name)}", f"{_FROM}{base}")
        (context / "Dockerfile").write_text(lines)
        with tarfile.open(fileobj=data, mode="w") as archive:
            archive.add(context, arcname=".", filter=_as_checked_out)
    data.seek(0)
    client.images.build(fileobj=data, custom_context=True, tag=tag, rm=True, forcerm=True)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            del merged[key]
        elif isinstance(value, dict) and key in old:
            merged[key] = _merged(old[key], value)
        else:
            merged[key] = value
    return merged


def _lines(name: str) -> str:
    path = PROJECTS / name / "Dockerfile"
    return path.read_text() if path.exists() else LINES


def _fill(context: Path, name: str) -> None:
    """Copy a folder, and put below its ``files`` what its patch and its descriptions make."""
    shutil.copytree(PROJECTS / name, context, symlinks=True)
    files = context / "files"
    if (context / "program.patch").exists():
        shutil.copytree(PROJECTS / "keeping/program", files / "program", dirs_exist_ok=True)
        # what is above is no part of it, should the temporary folders lie in a checkout
        env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(context)}
        process.run(["git", "apply", str(context / "program.patch")], cwd=files, env=env)
    if (context / "binaries.yaml").exists():
        described = yaml.safe_load((context / "binaries.yaml").read_text())
        for path, said in described.items():
            file = files / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_elf(said).build())


def _elf(said: Mapping[str, Any]) -> Elf:
    code = said.get("fatbin", {})
    entries = [("cubin", architecture, 0) for architecture in code.get("cubin", ())]
    made = fatbin(*entries, cuda=code.get("cuda", 129)) if code else b""
    return Elf(**{**said, "fatbin": made})


def _as_checked_out(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Give a file the mode that it has in the repository, whatever the machine's umask is."""
    if member.isdir() or member.mode & _EXECUTABLE:
        member.mode = 0o755
    else:
        member.mode = 0o644
    member.uid = member.gid = 0
    return member
