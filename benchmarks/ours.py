"""Twinforge as its users run it: verbs of ``python build.py`` in a copy of the checkout.

All that the benchmarks know of the command line is in this module.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pair import read_pair
from twinforge import process

if TYPE_CHECKING:
    from benchmarks.bench import Bench, Timed
    from benchmarks.pair import Pair

__all__ = ["Ours", "copy_checkout"]

_REPOSITORY = "twinforge-bench/{recipe}"
_KNOWN_BLOBS = Path(".twinforge/blobs.json")
"""Where the digests of compressed layers are kept between pushes, inside the project."""


@dataclass(frozen=True, slots=True)
class Ours:
    """A checkout of its own, with its state, and the pair that is built from it."""

    bench: Bench
    root: Path
    recipe: str

    @property
    def pair(self) -> Pair:
        """The pair as it is locked now."""
        return read_pair(self.root, self.recipe)

    def build(self) -> float:
        """Build the pair and return the seconds that it took."""
        return self._verb("build", "--json", *self.pair.ids).seconds

    def smoke(self) -> None:
        """Smoke the pair, without which it may not be pushed."""
        self._verb("smoke", "--json", *self.pair.ids)

    def push(self, host: str) -> float:
        """Push the pair to a registry, each layer compressed anew; return the seconds."""
        (self.root / _KNOWN_BLOBS).unlink(missing_ok=True)
        return self.push_again(host)

    def push_again(self, host: str) -> float:
        """Push the pair with what the last push has kept; return the seconds."""
        return self._verb("push", "--registry", host, "--json", *self.pair.ids).seconds

    def images(self) -> dict[str, str]:
        """Return the image id of each variant that is built, by the variant's id."""
        nodes = json.loads(self._verb("plan", "--json", *self.pair.ids).stdout)
        return {node["variant"]: node["image_id"] for node in nodes if node["image_id"]}

    def forget(self) -> None:
        """Remove the pair's images from the engine."""
        self.bench.remove_images(self.images().values())

    def base(self) -> str:
        """Return the reference of the base that the built CPU image stands on.

        Raises:
            LookupError: The engine does not hold it under a name.
        """
        return self.bench.base_of(self.images()[self.pair.cpu.id])

    def edit_program(self, text: str) -> None:
        """Append a comment to a module of the program."""
        folder = self.root / self.pair.recipe.program
        module = min(path for path in folder.rglob("*.py") if path.name != "__init__.py")
        with module.open("a", encoding="utf-8") as stream:
            stream.write(f"# {text}\n")

    def move_pin(self, package: str, recipe_version: str) -> None:
        """Lock a package at an earlier version, in the recipe under another version.

        A twin takes its sibling with it.

        Args:
            package: A package of the CUDA variant, whether the recipe names it or another needs it.
            recipe_version: A version tag never moves, so that another content needs another one.

        Raises:
            LookupError: The pair has no such package.
            CommandError: It can't be locked.
        """
        pair = self.pair
        versions = {wheel.name: wheel.version for wheel in pair.wheels.values()}
        path = self.root / pair.recipe.place.path
        recipe = _with_earlier(path.read_text("utf-8"), package, versions[package])
        recipe = re.sub(r"^version: .*$", f"version: {recipe_version}", recipe, flags=re.MULTILINE)
        path.write_text(recipe, "utf-8")
        self._verb("lock", self.recipe)

    def _verb(self, *arguments: str) -> Timed:
        argv = [sys.executable, "build.py", "--quiet", *arguments]
        return self.bench.timed(argv, cwd=self.root)


def copy_checkout(bench: Bench, name: str) -> Path:
    """Copy the files of the checkout that git does not ignore, and return the copy's folder.

    The copy's images get a repository of their own: the tags of the checkout's images stay.
    """
    listed = process.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=bench.root
    ).stdout
    target = bench.scratch / name
    for relative in filter(None, listed.split("\0")):
        source, copy = bench.root / relative, target / relative
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    matrix = target / "matrix.yaml"
    text = matrix.read_text("utf-8")
    matrix.write_text(re.sub(r"(?m)^( +repository:) .*$", rf'\1 "{_REPOSITORY}"', text), "utf-8")
    return target


def _with_earlier(recipe: str, package: str, version: str) -> str:
    """Return the text of a recipe that wants a package before a version."""
    earlier = f'"{package}<{version}"'
    name = re.escape(package)
    forms = (
        (rf"^(\s*- ){name}\b.*$", rf"\g<1>{earlier}"),
        (rf"^(\s*)(- twin: .*\b{name}}}.*)$", rf'\g<1>\g<2>\n\g<1>  version: "<{version}"'),
        (r"^(\s*)packages:$", rf"\g<0>\n\g<1>  - {earlier}"),
    )
    for pattern, text in forms:
        changed, count = re.subn(pattern, text, recipe, count=1, flags=re.MULTILINE)
        if count:
            return changed
    message = f"the recipe has no place for '{package}'"
    raise LookupError(message)
