"""The machine's apt sources, read to reach the next release of the same distribution.

Source: sources.list(5), which describes both formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "AptEntry",
    "find_main_archive",
    "parse_deb822",
    "parse_one_line",
    "render_entry",
    "render_pins",
]

_ONE_LINE = re.compile(r"(?P<type>deb|deb-src)\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<rest>.+)")
_DEB822_NAMES = {"arch": "architectures", "lang": "languages", "target": "targets"}
_PLACES = frozenset({"types", "uris", "suites", "components", "enabled"})


@dataclass(frozen=True, slots=True)
class AptEntry:
    """One entry of apt's sources.

    ``options`` are the deb822 fields beside types, URIs, suites and components, by lower-case
    name; a value with several lines keeps them (an embedded key).
    """

    types: tuple[str, ...]
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: Mapping[str, str]


def parse_one_line(text: str) -> tuple[AptEntry, ...]:
    """Return the entries of a ``.list`` file; what apt would refuse is left out."""
    entries = []
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        words = match["rest"].split() if match else []
        if match is None or len(words) < 2:  # noqa: PLR2004 - a URI and a suite
            continue
        options = {}
        for option in (match["options"] or "").split():
            name, _, value = option.partition("=")
            lower = name.rstrip("+-").lower()
            options[_DEB822_NAMES.get(lower, lower)] = value.replace(",", " ")
        uri, suite, *components = words
        entries.append(AptEntry((match["type"],), (uri,), (suite,), tuple(components), options))
    return tuple(entries)


def parse_deb822(text: str) -> tuple[AptEntry, ...]:
    """Return the enabled entries of a ``.sources`` file."""
    entries = []
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in {" ", "\t"} and name:
                fields[name] += f"\n{line}"
            elif ":" in line:
                raw, _, value = line.partition(":")
                name = raw.strip().lower()
                fields[name] = value.strip()
        if not fields.get("uris") or fields.get("enabled", "yes").lower() in {"no", "false", "0"}:
            continue
        words = {key: tuple(fields.get(key, "").split()) for key in _PLACES}
        options = {key: value for key, value in fields.items() if key not in _PLACES}
        entries.append(
            AptEntry(words["types"], words["uris"], words["suites"], words["components"], options)
        )
    return tuple(entries)


def find_main_archive(entries: Iterable[AptEntry], codename: str) -> AptEntry | None:
    """Return the entry of Debian's main archive for this release, or None.

    Other vendors offer a suite ``bookworm`` with a component ``main`` too, so what speaks for the
    archive itself is weighed; among equals the first wins.
    """
    listed = tuple(entries)
    candidates = [
        entry
        for entry in listed
        if "deb" in entry.types and codename in entry.suites and "main" in entry.components
    ]
    if not candidates:
        return None
    updated = {
        uri for entry in listed if f"{codename}-updates" in entry.suites for uri in entry.uris
    }

    def evidence(entry: AptEntry) -> int:
        signed = "debian-archive" in entry.options.get("signed-by", "")
        named = any(_reads_debian(uri) for uri in entry.uris)
        return 4 * signed + 2 * named + any(uri in updated for uri in entry.uris)

    best = max(candidates, key=evidence)
    return best if evidence(best) or len(candidates) == 1 else None


def render_entry(entry: AptEntry, *, suite: str) -> str:
    """Return a deb822 stanza: the same archive, keys and options, but this suite's ``main``."""
    fields = {
        "types": "deb",
        "uris": " ".join(entry.uris),
        "suites": suite,
        "components": "main",
        **entry.options,
    }
    return "".join(f"{name.title()}: {value}\n" for name, value in fields.items())


def render_pins(packages: Iterable[str], *, codename: str) -> str:
    """Return apt preferences that take these packages from a release, and nothing else from it."""
    names = " ".join(packages)
    return (
        f"Package: {names}\nPin: release n={codename}\nPin-Priority: 990\n\n"
        f"Package: *\nPin: release n={codename}\nPin-Priority: -1\n"
    )


def _reads_debian(uri: str) -> bool:
    path = uri.partition("://")[2] or uri
    is_snapshot = "/archive/debian/" in path
    return is_snapshot or path.rstrip("/").rsplit("/", 1)[-1] in {"debian", "debian.list"}
