"""Recipes, variants and locks for tests of rendering, and a strict reader of Dockerfiles."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.lock.locked import BaseLock, Deb, VariantLock, Wheel
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import Recipe, Smoke, SystemPackages
from twinforge.model.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = Place("recipes/digits.yaml", 1, 1)
RECIPE = Recipe(
    name="digits",
    version="1.2.0",
    description="Digits.",
    packages=(),
    indexes=(),
    parity_exempt={},
    system=SystemPackages((), ()),
    steps=(),
    program="images/digits/program",
    env={},
    template="",
    smoke=Smoke(None, (), 30),
    place=PLACE,
)
VARIANT = Variant(
    "digits",
    "1.2.0",
    (("accelerator", "cpu"), ("python", "3.11"), ("os", "debian-12")),
    Accelerator("cpu", "", "", (), PLACE),
    Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE),
    "3.11",
)
BASE_LOCK = BaseLock("debian-12", "bootstrap", "sha256:" + "b" * 64, {"python3.11": "3.11.2"}, "")
QUOTED = r'"(?:[^"\\]|\\.)*"'
UNQUOTED = r"\\\\"
RAW_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+""")
HEREDOC = re.compile(r"\d*<<-?[^<]")


def _wheel(name: str, size_bytes: int = 1, *, group: str = "common", version: str = "1.0") -> Wheel:
    return Wheel(name, version, f"{name}-{version}.whl", "a" * 64, size_bytes, group)


def _lock(*wheels: Wheel, apt: tuple[Deb, ...] = ()) -> VariantLock:
    return VariantLock(VARIANT.slug, "debian-12", apt, wheels)


def _recipe(**changes: Any) -> Recipe:
    return replace(RECIPE, **changes)


def _variant(**changes: Any) -> Variant:
    return replace(VARIANT, **changes)


def _read(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile as BuildKit's parser splits them: (name, arguments).

    Refused are a parser directive, which would change the rules, and a here-document.

    Source: https://github.com/moby/buildkit/blob/master/frontend/dockerfile/parser/parser.go
    """
    assert not re.match(r"#\s*(syntax|escape|check)\s*=", text, re.IGNORECASE)
    instructions: list[tuple[str, str]] = []
    joined = ""
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if re.search(r"\\[ \t]*$", line):
            joined += re.sub(r"\\[ \t]*$", "", line)
            continue
        name, _, arguments = (joined + line).strip().partition(" ")
        joined = ""
        assert re.fullmatch(r"[A-Z]+", name), name
        if name in {"ADD", "COPY", "RUN"}:
            assert not any(HEREDOC.match(word) for word in RAW_WORD.findall(arguments))
        instructions.append((name, arguments.strip()))
    assert not joined
    return instructions


def _read_pairs(arguments: str) -> dict[str, str]:
    r"""Return the names and values of ``ENV`` and ``LABEL``, as BuildKit's lexer reads them.

    In double quotes a backslash takes the meaning of a quote, a dollar sign and a backslash, and
    stands for itself before anything else. Outside of quotes only escaped backslashes are taken
    here. A dollar sign that has kept its meaning is refused.

    Source: https://github.com/moby/buildkit/blob/master/frontend/dockerfile/shell/lex.go
    """
    pairs: dict[str, str] = {}
    rest = arguments
    while rest:
        found = re.match(rf"([A-Za-z_][A-Za-z0-9_.-]*)=((?:{QUOTED}|{UNQUOTED})+)(?:\s+|$)", rest)
        assert found, rest
        assert found[1] not in pairs
        pairs[found[1]] = "".join(map(_unquoted, re.findall(f"{QUOTED}|{UNQUOTED}", found[2])))
        rest = rest[found.end() :]
    return pairs


def _unquoted(part: str) -> str:
    if not part.startswith('"'):
        return part[1]
    value = re.sub(r'\\(["$\\])|(\$)', lambda found: found[1] or "\0", part[1:-1])
    assert "\0" not in value, f"a variable is expanded in {part}"
    return value


# Of the session's scope, since hypothesis refuses fixtures of a function's.
@pytest.fixture(scope="session")
def base_lock() -> BaseLock:
    """The lock of a bootstrapped base that has Python."""
    return BASE_LOCK


@pytest.fixture(scope="session")
def make_wheel() -> Callable[..., Wheel]:
    """Make wheels."""
    return _wheel


@pytest.fixture(scope="session")
def make_lock() -> Callable[..., VariantLock]:
    """Make locks of the one variant."""
    return _lock


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    """Make recipes."""
    return _recipe


@pytest.fixture(scope="session")
def make_variant() -> Callable[..., Variant]:
    """Make variants."""
    return _variant


@pytest.fixture(scope="session")
def read_dockerfile() -> Callable[[str], list[tuple[str, str]]]:
    """Split a Dockerfile into instructions."""
    return _read


@pytest.fixture(scope="session")
def read_pairs() -> Callable[[str], dict[str, str]]:
    """Read the names and values of ``ENV`` and ``LABEL``."""
    return _read_pairs
