from __future__ import annotations

import errno
import inspect
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from twinforge import errors
from twinforge.cli import sources
from twinforge.errors import (
    BuildError,
    CommandError,
    ImpossibleError,
    MissingToolError,
    Problem,
    ProjectError,
    StaleError,
    TwinforgeError,
    UnknownError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Run
    from tests.unit.world import World


def failing(error: BaseException) -> click.Command:
    """A verb that ends like this."""

    @click.command
    def check() -> None:
        raise error

    return check


@pytest.fixture
def check_raises(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    return lambda error: monkeypatch.setattr(sources, "check", failing(error))


def test_success_ends_with_0_and_prints_to_standard_output_alone(run: Run, world: World) -> None:
    assert len(world.variants()) == 3
    ran = run("check")
    assert (ran.status, ran.out, ran.err) == (0, "2 recipes, 3 variants: all right\n", "")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TwinforgeError("it failed"), 1),
        (BuildError("it failed"), 1),
        (UsageError("it failed"), 2),
        (UnknownError("it failed"), 3),
        (ImpossibleError("it failed"), 4),
        (StaleError("it failed"), 6),
        (MissingToolError("it failed"), 7),
    ],
)
def test_each_kind_of_error_has_its_exit_status(
    run: Run, check_raises: Callable[[BaseException], None], error: TwinforgeError, status: int
) -> None:
    error.hint = "do that"
    check_raises(error)
    ran = run("check")
    assert (ran.status, ran.out) == (status, "")
    assert ran.err == "error: it failed\nhint: do that\n"


def test_an_error_without_a_hint_has_no_empty_one(
    run: Run, check_raises: Callable[[BaseException], None]
) -> None:
    check_raises(CommandError(["docker", "ps"], 3, "no space\n"))
    assert run("check").err == "error: docker ended with status 3: no space\n"


def test_problems_begin_their_lines_and_are_counted(
    run: Run, check_raises: Callable[[BaseException], None]
) -> None:
    problems = [Problem("matrix.yaml", line, 3, "axes", "is wrong") for line in (7, 5)]
    check_raises(ProjectError(problems))
    ran = run("check")
    assert ran.status == 5
    assert ran.err == (
        "matrix.yaml:5:3: axes: is wrong\n"
        "matrix.yaml:7:3: axes: is wrong\n"
        "error: 2 problems in the project's files\n"
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupted_run_ends_with_130_and_says_how_to_go_on(
    run: Run, check_raises: Callable[[BaseException], None], error: BaseException
) -> None:
    check_raises(error)
    ran = run("check")
    assert ran.status == 130
    assert ran.err.endswith("interrupted; run the same command again to go on\n")


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/some/file"),
        IsADirectoryError(errno.EISDIR, "Permission denied", "/some/part", None, "/some/file"),
    ],
)
def test_a_file_that_can_not_be_read_or_written_is_named(
    run: Run, check_raises: Callable[[BaseException], None], error: OSError
) -> None:
    check_raises(error)
    ran = run("check")
    assert (ran.status, ran.err) == (1, "error: '/some/file': permission denied\n")
    assert run("--debug", "check").err.startswith("Traceback")


def test_an_output_that_is_full_is_an_error_and_no_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        ran = run("schema", "recipe")
    assert (ran.status, ran.err) == (1, "error: no space left on device\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_output_that_is_closed_is_written_to_nobody(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    assert len(world.variants()) == 3
    monkeypatch.setattr(sys, stream, None)
    assert run("matrix").status == 0


def test_only_debug_shows_a_traceback(
    run: Run, check_raises: Callable[[BaseException], None]
) -> None:
    check_raises(TwinforgeError("it failed"))
    assert "Traceback" not in run("check").err
    ran = run("--debug", "check")
    assert ran.status == 1
    assert ran.err.startswith("Traceback (most recent call last):\n")
    assert ran.err.endswith("twinforge.errors.TwinforgeError: it failed\nerror: it failed\n")


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["biuld"], "there is no verb 'biuld'; did you mean 'build'?", "see `twinforge --help`"),
        (["build", "--jobs", "0"], "invalid value for '--jobs'", "see `twinforge build --help`"),
        (["build", "--sofa"], "no such option", "see `twinforge build --help`"),
        (["select"], "missing argument 'RECIPE'", "see `twinforge select --help`"),
        (["engine", "halt"], "no such command 'halt'", "see `twinforge engine --help`"),
        (
            ["schema", "lock"],
            "invalid value for '{recipe|matrix}'",
            "see `twinforge schema --help`",
        ),
        (["--nonsense"], "no such option", "see `twinforge --help`"),
    ],
)
def test_wrong_usage_ends_with_2_one_line_and_where_to_look(
    run: Run, arguments: list[str], error: str, hint: str
) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    first, second = ran.err.splitlines()
    assert first.startswith(f"error: {error}")
    assert second == f"hint: {hint}"


def test_a_folder_that_is_no_project_is_named(run: Run, tmp_path: Path) -> None:
    ran = run("-C", str(tmp_path), "check")
    assert ran.status == 2
    assert ran.err == (
        f"error: '{tmp_path}' is no project: it has no matrix.yaml\n"
        "hint: give the project's folder with -C DIR\n"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["build", "wrods"],
            "the selector 'wrods' matches no variant\nhint: did you mean 'words'?",
        ),
        (["lock", "wrods"], "there is no recipe 'wrods'; did you mean 'words'?"),
        (["render", "wrods"], "there is no recipe 'wrods'; did you mean 'words'?"),
        (
            ["select", "wrods", "--instance", "ml.m5.large"],
            "there is no recipe 'wrods'; did you mean 'words'?",
        ),
    ],
)
def test_a_misspelt_name_is_answered_with_what_was_meant(
    run: Run, world: World, arguments: list[str], error: str
) -> None:
    assert world.images.tags == {}
    ran = run(*arguments)
    assert (ran.status, ran.err) == (2, f"error: {error}\n")


def test_no_verb_at_all_shows_the_help(run: Run) -> None:
    ran = run()
    assert "Commands:\n  new " in ran.out + ran.err
    assert "error: " not in ran.err


def test_the_help_names_every_exit_status(run: Run) -> None:
    statuses = {0, 130} | {
        kind.exit_status
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, TwinforgeError)
    }
    shown = re.search(r"Exit status: (.*?)\n\n", run("--help").out, re.DOTALL)
    assert shown is not None
    assert {int(number) for number in re.findall(r"\b\d+\b", shown[1])} == statuses


def test_the_version_is_that_of_the_package(run: Run) -> None:
    ran = run("--version")
    assert ran.status == 0
    assert re.fullmatch(r"twinforge, version \S+\n", ran.out)


@pytest.mark.parametrize(
    ("before", "after"),
    [(signal.SIG_DFL, signal.default_int_handler), (signal.SIG_IGN, signal.SIG_IGN)],
    ids=["in a terminal", "under nohup"],
)
def test_a_terminal_that_closes_is_an_interrupt_unless_it_is_to_be_survived(
    run: Run,
    before: Callable[..., object] | signal.Handlers,
    after: Callable[..., object] | signal.Handlers,
) -> None:
    signal.signal(signal.SIGHUP, before)
    run("--version")
    assert signal.getsignal(signal.SIGHUP) == after
