"""What an index publishes now, put beside what the data knows of a framework.

Tags tell Pythons, architectures and glibc. They do not tell CUDA, cuDNN or compiled capabilities:
those of a new version stay unknown until somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from packaging.version import Version

from twinforge.compat.facts import Dotted
from twinforge.compat.framework_tables import BuildRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twinforge.compat.framework_tables import FrameworkTable
    from twinforge.compat.wheels import PublishedVersion

__all__ = ["SOURCE", "Refreshed", "index_packages", "refresh_framework"]

SOURCE = "index"
"""The key of the source that refreshed fields cite."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A framework's records after a look at the index.

    ``changed`` are the records that are new or say something else, one version each; ``builds`` all
    of the file. ``changes`` tell the difference, a line for each.
    """

    builds: tuple[BuildRecord, ...]
    changed: tuple[BuildRecord, ...]
    changes: tuple[str, ...]


def index_packages(table: FrameworkTable) -> tuple[str, ...]:
    """Return the packages of a framework that the default index has."""
    return tuple(dict.fromkeys(build.package for build in table.builds if not build.index))


def refresh_framework(
    table: FrameworkTable, published: Mapping[str, Mapping[str, PublishedVersion]]
) -> Refreshed:
    """Compare a framework with what the default index has.

    Args:
        table: The framework as it is known.
        published: By package, its versions by their text.
    """
    builds: list[BuildRecord] = []
    changed: list[BuildRecord] = []
    changes: list[str] = []
    for record in table.builds:
        for version in record.versions:
            one = record.model_copy(update={"versions": [version]})
            found = published.get(record.package, {}).get(version)
            updates = _updates(one, found) if found is not None and not record.index else {}
            now = _cited(one, updates)
            builds.append(now)
            if updates:
                changed.append(now)
                changes += _told(one, updates)
    for build in _new(table, published):
        builds.append(build)
        changed.append(build)
        changes.append(f"{_named(build)}: new, for Python {', '.join(build.pythons) or 'any'}")
    return Refreshed(tuple(_grouped(builds)), tuple(_grouped(changed)), tuple(changes))


def _updates(one: BuildRecord, found: PublishedVersion) -> dict[str, object]:
    updates: dict[str, object] = {}
    pythons = _sorted(found.pythons.get(_arch(one), set()))
    if one.pythons and set(pythons) - set(one.pythons):
        updates["pythons"] = pythons
    elif one.requires_python and found.requires_python not in {"", one.requires_python}:
        updates["requires_python"] = found.requires_python
    # What wheels for another architecture hold beside CPU code, tags do not tell.
    is_both = _arch(one) == "amd64" and one.device == "cpu" and one.glibc is not None
    same = is_both and _same_for_arm(one, found)
    if same and "arm64" not in one.cpu_archs:
        updates["cpu_archs"] = [*one.cpu_archs, "arm64"]
    return updates


def _arch(one: BuildRecord) -> Literal["amd64", "arm64"]:
    """Return the CPU architecture whose tags speak of a record: its only one, or amd64."""
    return "arm64" if one.cpu_archs == ["arm64"] else "amd64"


def _same_for_arm(one: BuildRecord, found: PublishedVersion) -> bool:
    """Whether the wheels for arm64 need no newer glibc and are for the same Pythons."""
    glibcs = found.glibcs.get("arm64")
    if not glibcs or one.glibc is None or found.pythons["arm64"] != found.pythons.get("amd64"):
        return False
    return min(Dotted.parse(text) for text in glibcs) <= Dotted.parse(one.glibc)


def _cited(one: BuildRecord, updates: Mapping[str, object]) -> BuildRecord:
    if not updates:
        return one
    source_of = {**one.source_of, **{name: [SOURCE] for name in updates}}
    unverified = [name for name in one.unverified if name not in updates]
    return one.model_copy(update={**updates, "source_of": source_of, "unverified": unverified})


def _told(one: BuildRecord, updates: Mapping[str, object]) -> Iterator[str]:
    for name, value in updates.items():
        yield f"{_named(one)}: {name} {_shown(getattr(one, name))} -> {_shown(value)}"


def _named(build: BuildRecord) -> str:
    extras = f"[{','.join(build.extras)}]" if build.extras else ""
    arm = ", arm64" if _arch(build) == "arm64" else ""
    return f"{build.package}{extras}=={build.versions[0]} ({build.device}{arm})"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _new(
    table: FrameworkTable, published: Mapping[str, Mapping[str, PublishedVersion]]
) -> Iterator[BuildRecord]:
    """Yield records of versions that the data lacks, for what the newest known one is for."""
    for package, versions in published.items():
        known = [b for b in table.builds if b.package == package and not b.index]
        texts = {text for build in known for text in build.versions}
        if not texts:
            continue
        oldest, newest = min(texts, key=Version), max(texts, key=Version)
        alike = [build for build in known if newest in build.versions]
        for text, found in versions.items():
            if text not in texts and Version(text) > Version(oldest):
                for build in alike:
                    if _arch(build) == "amd64" or found.glibcs.get("arm64"):
                        yield _unknown(build, found)


def _unknown(alike: BuildRecord, found: PublishedVersion) -> BuildRecord:
    arch = _arch(alike)
    pythons = _sorted(found.pythons.get(arch, set()))
    glibcs = sorted(map(Dotted.parse, found.glibcs.get(arch, set())))
    # The lowest serves a CPU; which of several wheels holds CUDA, tags do not tell.
    choice = (glibcs[0] if alike.device == "cpu" else glibcs[-1]) if glibcs else None
    guessed = ["device", *(["extras"] if alike.extras else [])]
    return BuildRecord(
        versions=[found.version],
        device=alike.device,
        package=alike.package,
        extras=alike.extras,
        pythons=pythons,
        requires_python="" if pythons else found.requires_python,
        cpu_archs=[arch] if glibcs else [],
        glibc=choice.text if choice else None,
        source=[SOURCE],
        unverified=guessed,
        verified=True,
    )


def _sorted(pythons: Iterable[str]) -> list[str]:
    return sorted(pythons, key=Dotted.parse)


def _grouped(builds: Sequence[BuildRecord]) -> Iterator[BuildRecord]:
    """Join versions that were built alike, as the files have them."""
    groups: dict[str, list[BuildRecord]] = {}
    for build in builds:
        groups.setdefault(build.model_dump_json(exclude={"versions"}), []).append(build)
    joined = [
        group[0].model_copy(
            update={"versions": sorted((b.versions[0] for b in group), key=Version)}
        )
        for group in groups.values()
    ]
    order = {name: n for n, name in enumerate(dict.fromkeys(b.package for b in joined))}
    yield from sorted(joined, key=lambda b: (order[b.package], b.device, Version(b.versions[0])))
