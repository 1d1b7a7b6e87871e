"""Every command that help or README shows is one that the program takes."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from twinforge.cli.main import twinforge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Run

CHECKOUT = Path(__file__).parents[3]
README = (CHECKOUT / "README.md").read_text("utf-8")
PROGRAM = re.compile(r"(?:twinforge|python3? build\.py) (?P<arguments>.+)")
CODE_SPAN = re.compile(r"`(?P<code>[^`\n]+)`")
VERB_ROW = re.compile(r"^\| `(?P<verb>[a-z]+)(?: [^`]*)?` \|", re.MULTILINE)
SESSION = re.compile(r"nox -s (?P<name>[a-z]+)")
PLACEHOLDER = "VERB"
ENDS = {"<", ">"}


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every verb, and of every verb below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))


def parse(words: list[str]) -> None:
    """Parse a command line without running it; wrong usage raises click's UsageError."""
    command: click.Command = twinforge
    context = click.Context(twinforge, info_name="twinforge")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
    if not (isinstance(command, click.Group) or set(words) & {"-h", "--help"}):
        command.make_context(command.name, words, parent=context)


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every call of the program in a text, also of several in one line."""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        for part in line.replace("Example: ", "").strip().removeprefix("$ ").split("&&"):
            found = PROGRAM.match(part.strip())
            if found is None:
                continue
            # Two blanks begin an explanation, as in a column.
            shown = re.split(r"\s{2,}(?=\S+ )", found["arguments"], maxsplit=1)[0]
            words = shlex.split(shown, comments=True)
            yield words[: next((n for n, word in enumerate(words) if word in ENDS), len(words))]


VERBS = list(leaves(twinforge))


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_the_help_of_every_verb_has_examples_and_each_is_a_command(
    run: Run, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ran = run(*path, "--help")
    assert ran.status == 0
    _, heading, examples = ran.out.partition("Example")
    assert heading, f"no example for {' '.join(path)}"
    found = list(commands(heading + examples))
    assert any(words[: len(path)] == list(path) for words in found), found
    for words in found:
        parse(words)


def test_an_example_that_is_wrong_would_be_found() -> None:
    with pytest.raises(click.UsageError, match="No such option"):
        parse(["build", "--sofa"])
    assert list(commands("  twinforge push --registry h < secret\n$ python build.py check")) == [
        ["push", "--registry", "h"],
        ["check"],
    ]
    assert list(commands("twinforge check && twinforge smoke -j 2   tries it")) == [
        ["check"],
        ["smoke", "-j", "2"],
    ]


def test_every_command_in_the_readme_is_one() -> None:
    text = "\n".join(match["code"] for match in CODE_SPAN.finditer(README))
    found = [words for words in commands(f"{text}\n{README}") if words[0] != PLACEHOLDER]
    assert found
    for words in found:
        parse(words)


def test_the_readme_s_table_has_every_verb(run: Run) -> None:
    listed = run("--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    verbs = {line.split()[0] for line in listed.splitlines()}
    assert {match["verb"] for match in VERB_ROW.finditer(README)} == verbs


def test_the_readme_s_options_are_options_of_their_verb() -> None:
    for line in README.splitlines():
        row = VERB_ROW.match(line)
        if row is None:
            continue
        command = twinforge.get_command(click.Context(twinforge), row["verb"])
        assert command is not None
        known = {name for parameter in command.params for name in parameter.opts}
        known |= {name for parameter in command.params for name in parameter.secondary_opts}
        assert set(re.findall(r"`(--[a-z-]+)", line)) <= known, row["verb"]


def test_every_nox_session_in_the_readme_is_one() -> None:
    tree = ast.parse((CHECKOUT / "noxfile.py").read_text("utf-8"))
    sessions = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(one).startswith("nox.session") for one in node.decorator_list)
    }
    named = {match["name"] for match in SESSION.finditer(README)}
    assert named
    assert named <= sessions
