"""No value of a recipe, matrix or lock becomes an instruction, an argument or a shell word."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from twinforge.errors import TwinforgeError
from twinforge.lock.locked import BaseLock, Deb
from twinforge.model.matrix import Base
from twinforge.model.place import Place
from twinforge.model.reference import Reference
from twinforge.render.dockerfile import EPOCH, render_files
from twinforge.render.quoting import timeless

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.lock.locked import VariantLock, Wheel
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

SHARP = [
    "\n", "\r\n", "\\\n", "\\", '"', "'", "$", "${X}", "`", "$(touch /pwned)", "; touch /pwned;",
    "<<EOF", "\nEOF\n", "\nRUN touch /pwned\n", "\nFROM scratch", "#", "# syntax=evil", "&&", "|",
    "--mount=type=bind", " AS base", "{{ 7 * 7 }}", "{% raw %}", "\u2028", "\x85", "\0", "=", " ",
    "\t", "é", "[", "]", ",",
]  # fmt: skip
TEXT = st.one_of(
    st.text(),
    st.lists(st.one_of(st.sampled_from(SHARP), st.text(max_size=4)), max_size=6).map("".join),
)
HARMLESS = "harmless"
WORD = st.one_of(st.text("abyzABYZ0189_.+:~=/@-"), TEXT)
Instructions = list[tuple[str, str]]


class Change(NamedTuple):
    """An instruction, its arguments, and those with a harmless value."""

    name: str
    mine: str
    its: str


class Renderer:
    """Renders one variant of everything, with what a test changes in it."""

    def __init__(
        self,
        recipe: Callable[..., Recipe],
        variant: Callable[..., Variant],
        lock: Callable[..., VariantLock],
        wheel: Callable[..., Wheel],
        read: Callable[[str], Instructions],
    ) -> None:
        self.recipe, self.variant = recipe, variant
        self.lock, self.read = lock, read
        self.wheels = (wheel("big", 10**8), wheel("one"), wheel("twin", group="device"))
        self.reference = Reference("", "ubuntu", "22.04")

    def render(
        self,
        *,
        recipe: dict[str, Any] | None = None,
        variant: dict[str, Any] | None = None,
        apt: Deb = Deb("libgomp1", "12"),  # noqa: B008 - frozen
        base: dict[str, Any] | None = None,
    ) -> Instructions:
        """Return the instructions.

        Raises:
            TwinforgeError: A value was refused.
        """
        place = Place("matrix.yaml", 1, 1)
        source = {"name": "ubuntu", "os": "ubuntu", "cuda": "", "source": self.reference}
        values: dict[str, Any] = {"base": Base(place=place, **{**source, **(base or {})})}
        everything: dict[str, Any] = {
            "indexes": ("https://packages.example.com/simple/",),
            "env": {"NAME": "value"},
            "steps": ("true",),
        }
        files = render_files(
            self.recipe(**{**everything, **(recipe or {})}),
            self.variant(**{**values, **(variant or {})}),
            self.lock(*self.wheels, apt=(apt,)),
            BaseLock("ubuntu", "image", "sha256:" + "0" * 64, {}, ""),
        )
        return self.read(files["Dockerfile"])

    def changes(self, text: str, make: Callable[[str], dict[str, Any]]) -> list[Change] | None:
        """Return the instructions that differ from those for a harmless text; None if refused."""
        harmless = self.render(**make(HARMLESS))
        try:
            given = self.render(**make(text))
        except TwinforgeError:
            return None
        assert [name for name, _ in given] == [name for name, _ in harmless]
        return [
            Change(name, mine, its)
            for (name, mine), (_, its) in zip(given, harmless, strict=True)
            if mine != its
        ]

    def change(self, text: str, make: Callable[[str], dict[str, Any]]) -> Change | None:
        """Return the one instruction that differs; None if the text was refused."""
        changes = self.changes(text, make)
        if changes is None:
            return None
        [change] = changes
        return change


@pytest.fixture(scope="module")
def renderer(
    make_recipe: Callable[..., Recipe],
    make_variant: Callable[..., Variant],
    make_lock: Callable[..., VariantLock],
    make_wheel: Callable[..., Wheel],
    read_dockerfile: Callable[[str], Instructions],
) -> Renderer:
    return Renderer(make_recipe, make_variant, make_lock, make_wheel, read_dockerfile)


@pytest.mark.parametrize("field", ["description", "version"])
@given(text=TEXT)
def test_a_text_of_a_recipe_ends_in_one_label_as_it_was_written(
    renderer: Renderer, read_pairs: Callable[[str], dict[str, str]], field: str, text: str
) -> None:
    assume(text not in {"", HARMLESS})
    change = renderer.change(text, lambda value: {"recipe": {field: value}})
    if change is None:
        return
    assert change.name == "LABEL"
    assert read_pairs(change.mine) == {
        **read_pairs(change.its),
        f"org.opencontainers.image.{field}": text,
    }


@given(text=TEXT)
def test_the_value_of_a_variable_is_read_back_as_it_was_written(
    renderer: Renderer, read_pairs: Callable[[str], dict[str, str]], text: str
) -> None:
    assume(text != HARMLESS)
    change = renderer.change(text, lambda value: {"recipe": {"env": {"NAME": value}}})
    if change is None:
        return
    assert change.name == "ENV"
    assert read_pairs(change.mine) == {**read_pairs(change.its), "NAME": text}


@given(text=WORD)
def test_the_name_of_a_variable_stays_a_name(
    renderer: Renderer, read_pairs: Callable[[str], dict[str, str]], text: str
) -> None:
    assume(text not in {HARMLESS, "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"})
    change = renderer.change(text, lambda value: {"recipe": {"env": {value: "1"}}})
    if change is None:
        return
    assert change.name == "ENV"
    assert read_pairs(change.mine)[text] == "1"


@given(text=TEXT)
def test_a_step_is_read_back_as_one_script(renderer: Renderer, text: str) -> None:
    assume(text != HARMLESS)
    change = renderer.change(text, lambda value: {"recipe": {"steps": (value,)}})
    if change is None:
        return
    assert change.name == "RUN"
    mount, _, command = change.mine.partition(" ")
    assert mount == "--mount=type=tmpfs,target=/run/twinforge"
    assert json.loads(command) == ["/bin/sh", "-euc", timeless(text, EPOCH)]


@given(text=TEXT)
def test_an_index_is_one_word_of_the_shell(renderer: Renderer, text: str) -> None:
    assume(text != HARMLESS)
    changes = renderer.changes(text, lambda value: {"recipe": {"indexes": (value,)}})
    if changes is None:
        return
    assert [change.name for change in changes] == ["RUN", "RUN", "RUN"]
    for change in changes:
        words = shlex.split(change.its)
        index = words.index(f"UV_INDEX={HARMLESS};")
        words[index] = f"UV_INDEX={text};"
        assert shlex.split(change.mine) == words


@pytest.mark.parametrize("field", ["name", "version"])
@given(text=WORD)
def test_a_debian_package_is_one_argument_of_apt(renderer: Renderer, field: str, text: str) -> None:
    assume(text not in {"", HARMLESS})
    other = {"name": "libgomp1", "version": "12"}
    changes = renderer.changes(text, lambda value: {"apt": Deb(**{**other, field: value})})
    if changes is None:
        return
    assert [change.name for change in changes] == ["RUN", "LABEL"]  # the latter digests all pins
    change = changes[0]
    package = Deb(**{**other, field: text})
    words = [word.replace(HARMLESS, text) for word in shlex.split(change.its)]
    assert shlex.split(change.mine) == words
    assert f"{package};" in words
    assert not str(package).startswith("-")


@given(text=WORD)
def test_a_base_is_the_one_argument_of_the_first_from(renderer: Renderer, text: str) -> None:
    assume(text not in {"", HARMLESS})
    change = renderer.change(text, lambda value: {"base": {"source": Reference("", value)}})
    if change is None:
        return
    assert change.name == "FROM"
    assert change.mine.split() == [change.its.split()[0].replace(HARMLESS, text), "AS", "base"]


@given(text=WORD)
def test_the_name_of_a_base_changes_nothing_but_the_name_of_its_caches(
    renderer: Renderer, text: str
) -> None:
    assume(text != HARMLESS)
    change = renderer.change(text, lambda value: {"base": {"name": value}})
    if change is None:
        return
    assert change.name == "RUN"
    assert shlex.split(change.mine) == [
        word.replace(HARMLESS, text) for word in shlex.split(change.its)
    ]


@given(text=WORD)
def test_a_version_of_python_is_part_of_one_path(renderer: Renderer, text: str) -> None:
    assume(text != HARMLESS)
    changes = renderer.changes(text, lambda value: {"variant": {"python": value}})
    if changes is None:
        return
    assert {change.name for change in changes} == {"RUN"}
    for change in changes:
        words = [word.replace(HARMLESS, text) for word in shlex.split(change.its)]
        assert shlex.split(change.mine) == words


@given(text=WORD)
def test_a_value_of_an_axis_is_in_comments_and_a_label_only(
    renderer: Renderer, read_pairs: Callable[[str], dict[str, str]], text: str
) -> None:
    assume(text not in {"", HARMLESS})
    change = renderer.change(text, lambda value: {"variant": {"values": (("flavour", value),)}})
    if change is None:
        return
    assert change.name == "LABEL"
    assert read_pairs(change.mine) == {**read_pairs(change.its), "io.twinforge.variant": text}


@given(text=TEXT)
def test_the_path_of_a_recipe_is_in_a_comment_only(renderer: Renderer, text: str) -> None:
    changes = renderer.changes(text, lambda value: {"recipe": {"place": Place(value, 1, 1)}})
    assert changes in ([], None)
