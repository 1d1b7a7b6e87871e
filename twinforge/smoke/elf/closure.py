"""Whether all that an image's binaries need is in the image, in a version that they can use."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from twinforge.smoke.elf.byhand import dlopened_by, launched_for, optional_for, preloaded_for
from twinforge.smoke.elf.foreign import foreign_files
from twinforge.smoke.elf.search import Loaded, Search, parse_configuration
from twinforge.smoke.elf.tell import refuse
from twinforge.smoke.elf.versions import is_driver

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from twinforge.smoke.elf.tree import Tree

__all__ = ["Closure", "Missing", "close", "judge_closure"]

_EXTENSION = re.compile(r".*\.(?:cpython-[^/]*|abi3)\.so")
_SITE = re.compile(r"(?P<site>.*/(?:site|dist)-packages)/(?P<file>.+)")


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    """What a file needs and the loader does not find.

    ``version`` is a symbol version that the library lacks, empty where it is the library itself;
    ``hint`` what might help, empty where there is nothing to say.
    """

    file: str
    needed: str
    version: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Return it in one line."""
        if self.version:
            return f"{self.file} needs {self.version} of {self.needed}, which does not have it"
        return f"{self.file} needs {self.needed}, which is not found" + (
            f" ({self.hint})" if self.hint else ""
        )


@dataclass(frozen=True, slots=True)
class Closure:
    """What was found when every program, extension and library of an image was loaded, on paper.

    ``missing`` is sorted and without what the driver brings, ``driver`` are the files that need
    that; ``by_hand`` and ``optional`` tell which records were used, ``found`` says for each file
    (its real path) which (real path) each needed name leads to. ``foreign`` are the files that are
    for other systems, and not loaded.
    """

    files: int
    missing: tuple[Missing, ...]
    driver: tuple[str, ...]
    by_hand: tuple[str, ...]
    optional: tuple[str, ...]
    found: Mapping[str, Mapping[str, str]]
    foreign: int = 0


def close(tree: Tree, library_path: Sequence[str] = (), packaged: Collection[str] = ()) -> Closure:
    """Load every binary of an image on paper.

    Programs and Python's extensions come first, each with all that it needs. A library that none of
    them led to is loaded by itself, as ``dlopen`` would.

    Args:
        tree: The image's files.
        library_path: The folders of its ``LD_LIBRARY_PATH``.
        packaged: Files of the distribution's packages. Of those, one that nothing leads to and that
            lies where the loader does not look is the plug-in of some program: what it alone needs
            the distribution recommends, and does not demand.
    """
    search = Search(tree, library_path)
    walk = _Walk(tree, search)
    dynamic = {path for path, facts in tree.elves.items() if facts.is_dynamic}
    extensions = set(filter(_is_extension, dynamic))
    foreign = foreign_files(tree, dynamic - extensions)
    dynamic -= foreign
    first = {path for path in dynamic if tree.elves[path].is_program} | extensions
    for path in sorted(first):
        if path not in walk.reached:
            walk.load(path)
    walk.plugins = {path for path in packaged if not search.looks_in(posixpath.dirname(path))}
    for path in sorted(dynamic - first):
        if path not in walk.reached:
            walk.load(path)
    return Closure(
        len(walk.reached),
        tuple(sorted(walk.missing)),
        tuple(sorted(walk.driver)),
        tuple(sorted(walk.by_hand)),
        tuple(sorted(walk.optional)),
        walk.found,
        len(foreign),
    )


def judge_closure(tree: Tree, closure: Closure) -> str:
    """Return in a few words that all that an image's binaries need is in it, or is the driver's.

    Raises:
        SmokeError: Something is missing, or a library can't be read.
    """
    broken = [
        f"{path} can't be loaded: {why}"
        for path, why in sorted(tree.broken.items())
        if ".so" in posixpath.basename(path)
    ]
    refuse([*broken, *map(str, closure.missing)])
    lines = [f"{closure.files} binaries find what they need"]
    if closure.driver:
        lines[0] += f", {len(closure.driver)} of them the driver's libraries on the host"
    lines += [f"found by a framework's own means: {source}" for source in closure.by_hand]
    lines += [f"not there and not needed: {what}" for what in closure.optional]
    if closure.foreign:
        lines.append(f"{closure.foreign} files are for other systems, and are not looked at")
    return "\n".join(lines)


def _is_extension(path: str) -> bool:
    return _EXTENSION.fullmatch(path) is not None


class _Walk:
    def __init__(self, tree: Tree, search: Search) -> None:
        self._tree = tree
        self._search = search
        self.reached: set[str] = set()
        self.missing: set[Missing] = set()
        self.driver: set[str] = set()
        self.by_hand: set[str] = set()
        self.optional: set[str] = set()
        self.found: dict[str, dict[str, str]] = {}
        self.plugins: Collection[str] = ()

    def load(self, root: str) -> None:
        """Load a file and, in the loader's order (breadth first), all that it needs."""
        first = Loaded(root, root, self._tree.elves[root], None)
        names = {first.facts.soname: first, posixpath.basename(root): first}
        mapped = {root: first}
        queue = [first]
        for one in queue:
            self.reached.add(one.real)
            for needed in one.facts.needed:
                library = names.get(needed) or self._map(needed, one, mapped, queue)
                if library is None:
                    self._tell_missing(needed, one)
                    continue
                names[needed] = names[library.facts.soname or needed] = library
                self.found.setdefault(one.real, {})[needed] = library.real
                self._compare_versions(one, needed, library)
            self._open(one, mapped, queue)

    def _open(self, one: Loaded, mapped: dict[str, Loaded], queue: list[Loaded]) -> None:
        """Load what a framework opens by name when it starts."""
        inside = _SITE.fullmatch(one.real)
        record = dlopened_by(inside["file"]) if inside else None
        if inside is None or record is None:
            return
        paths = [f"{inside['site']}/{file}" for file in record.files]
        elves = self._tree.elves
        openers = [Loaded(path, path, elves[path], None) for path in paths if path in elves]
        majors = {toolkit.partition(".")[0] for toolkit in one.facts.code.toolkits}
        for group in (names for major in sorted(majors) for names in record.names.get(major, ())):
            found = (self._map(name, by, mapped, queue) for name in group for by in openers)
            library = next((library for library in found if library is not None), None)
            if library is None:
                self.missing.add(Missing(one.real, " or ".join(group), hint=record.without))
            else:
                self.found.setdefault(one.real, {})[group[0]] = library.real

    def _map(
        self, needed: str, by: Loaded, mapped: dict[str, Loaded], queue: list[Loaded]
    ) -> Loaded | None:
        path = self._search.find(needed, by) or self._find_by_hand(needed, by)
        if path is None:
            return None
        real = self._tree.real(path)
        if real not in mapped:
            mapped[real] = Loaded(path, real, self._tree.elves[real], by)
            queue.append(mapped[real])
        return mapped[real]

    def _find_by_hand(self, needed: str, by: Loaded) -> str | None:
        launched = launched_for(by.real, needed)
        if launched is not None:
            place = posixpath.join(posixpath.dirname(by.real), launched.place)
            if self._search.is_loadable(place, by):
                self.by_hand.add(launched.source)
                return place
        for one in by.chain:
            inside = _SITE.fullmatch(one.real)
            for record in preloaded_for(inside["file"]) if inside else ():
                for path in self._candidates(
                    inside["site"] if inside else "", record.folders, needed
                ):
                    if self._search.is_loadable(path, by):
                        self.by_hand.add(record.source)
                        return path
        return None

    def _candidates(self, site: str, folders: tuple[str, ...], needed: str) -> Iterator[str]:
        for path in self._named(needed):
            folder = posixpath.dirname(path)
            if any(fnmatchcase(folder, f"{site}/{pattern}") for pattern in folders):
                yield path

    def _named(self, name: str) -> Iterator[str]:
        end = f"/{name}"
        for paths in (self._tree.elves, self._tree.links):
            yield from (path for path in paths if path.endswith(end))

    def _tell_missing(self, needed: str, by: Loaded) -> None:
        if is_driver(needed):
            self.driver.add(by.real)
        elif record := optional_for(by.real, needed):
            self.optional.add(f"{needed}: {record.why}")
        elif by.real in self.plugins:
            self.optional.add(f"{needed}: {by.real} is a plug-in of the distribution's")
        else:
            self.missing.add(Missing(by.real, needed, hint=self._hint(needed)))

    def _hint(self, needed: str) -> str:
        there = next((path for path in self._named(needed) if self._tree.resolve(path)), "")
        if posixpath.dirname(there) in parse_configuration(self._tree.texts):
            return f"{there} is there and not in /etc/ld.so.cache: run ldconfig"
        return f"there is {there}, where the loader does not look" if there else ""

    def _compare_versions(self, one: Loaded, needed: str, library: Loaded) -> None:
        if not library.facts.defines:
            return  # a library without versions serves all of them, with a warning
        for version in one.facts.wants.get(needed, ()):
            if version not in library.facts.defines:
                self.missing.add(Missing(one.real, needed, version))
