"""Verbs that ask the resolver: ``compat explain`` and ``compat find``."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinforge.compat.facts import USES
from twinforge.errors import ImpossibleError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twinforge.cli.session import Session
    from twinforge.compat.find import Combination
    from twinforge.compat.question import Answer, Change, Device, Question, Wanted

__all__ = ["explain", "find"]

_STATUS = {"works": 0, "conditional": 0, "unknown": 3, "impossible": 4}
_OPTIONS = (
    click.option(
        "--framework",
        "frameworks",
        multiple=True,
        metavar="REQUIREMENT",
        help="A framework or a package of it, such as torch==2.6; may be repeated.",
    ),
    click.option("--cuda", default="", metavar="VERSION", help="The CUDA of the image."),
    click.option("--cudnn", default="", metavar="VERSION", help="The cuDNN of the image."),
    click.option("--python", default="", metavar="VERSION", help="Its Python, such as 3.12."),
    click.option(
        "--base",
        default="",
        metavar="IMAGE",
        help="What it stands on: ubuntu:22.04, debian-12, a tag of nvidia/cuda.",
    ),
    click.option(
        "--instance",
        "instances",
        multiple=True,
        metavar="TYPE",
        help="An instance type that has to run it; may be repeated.",
    ),
    click.option("--arch", default="", metavar="ARCH", help="The CPU: amd64 or arm64."),
    click.option("--ami", default="", metavar="NAME", help="The AMI version to ask for."),
    click.option(
        "--use",
        type=click.Choice(USES),
        default="hosting",
        show_default=True,
        help="What SageMaker runs it for.",
    ),
    click.option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        default=None,
        help="An image for the CPU or with CUDA, where nothing else says it.",
    ),
)


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(
    epilog="\b\nExit status: 0 works (perhaps under conditions), 3 unknown, 4 impossible.\n\n"
    "\b\nExamples:\n"
    "  twinforge compat explain --cuda 12.4 --instance ml.p2.xlarge\n"
    "  twinforge compat explain --framework torch==2.6 --python 3.12 --base ubuntu:22.04 \\\n"
    "    --instance ml.g4dn.xlarge --instance ml.g5.xlarge --json"
)
@_asking
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.pass_context
def explain(context: click.Context, /, *, as_json: bool, **asked: Any) -> None:
    """Say whether it goes together, on which conditions or why not, and what would."""
    from twinforge.compat.resolve import resolve  # noqa: PLC0415 - the data takes a while to read

    session: Session = context.obj
    with _own_data(session):
        answer = resolve(_question(**asked))
    if as_json:
        session.show_json(answer.as_json())
    else:
        session.show("\n".join(_told(answer)))
    context.exit(_STATUS[answer.verdict.value])


@click.command(
    epilog="\b\nExamples:\n"
    "  twinforge compat find --instance ml.p2.xlarge --instance ml.g5.xlarge --framework tensorflow\n"
    "  twinforge compat find --framework torch --python 3.12 --cuda 11.8 --json"
)
@_asking
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to list."
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def find(session: Session, /, *, limit: int, as_json: bool, **asked: Any) -> None:
    """List what works, the newest versions first."""
    from twinforge.compat.find import find_combinations  # noqa: PLC0415 - as above

    with _own_data(session):
        found = find_combinations(_question(**asked), limit)
    if as_json:
        session.show_json([combination.as_json() for combination in found])
    if not found:
        message = "nothing is known to work with all of that"
        raise ImpossibleError(message, hint="`twinforge compat explain` with the same says why")
    if not as_json:
        _show_found(session, found)


@contextmanager
def _own_data(session: Session) -> Iterator[None]:
    """Answer with the project's own data as well, where the folder is a project with any."""
    root = Path(session.project)
    if not ((root / "matrix.yaml").is_file() and (root / "compat").is_dir()):
        yield
        return
    from twinforge.compat.active import in_force  # noqa: PLC0415 - as above
    from twinforge.compat.overlay import load_additions  # noqa: PLC0415 - as above

    with in_force(load_additions(root)):
        yield


def _question(
    frameworks: tuple[str, ...],
    instances: tuple[str, ...],
    arch: str,
    device: Device | None,
    **rest: Any,
) -> Question:
    from twinforge.compat.question import Question  # noqa: PLC0415 - as above

    if not (frameworks or instances or arch or any(rest[name] for name in _ALONE)):
        message = "nothing is asked; name a framework, a version, a base or an instance type"
        raise UsageError(message, hint="see `twinforge compat explain --help`")
    if device == "cpu" and (rest["cuda"] or rest["cudnn"]):
        message = "an image for the CPU has no CUDA and no cuDNN"
        raise UsageError(message, hint="leave --device or the versions out")
    return Question(
        frameworks=tuple(_wanted(text) for text in frameworks),
        instances=instances,
        cpu_arch=arch,
        device=device or "",
        today=datetime.now(UTC).date(),
        **rest,
    )


_ALONE = ("cuda", "cudnn", "python", "base")


def _wanted(text: str) -> Wanted:
    from packaging.requirements import (  # noqa: PLC0415 - as above
        InvalidRequirement,
        Requirement,
    )

    from twinforge.compat.question import Wanted  # noqa: PLC0415 - as above

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        message = f"'{text}' is no requirement, such as torch==2.6"
        raise UsageError(message) from error
    if requirement.url or requirement.marker:
        message = f"'{text}' has a URL or a marker; a name, extras and versions are allowed"
        raise UsageError(message)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return Wanted(f"{requirement.name}{extras}", str(requirement.specifier))


def _told(answer: Answer) -> list[str]:
    lines = [answer.verdict.value]
    lines += [f"  on condition: {condition}" for condition in answer.conditions]
    lines += [f"  not known: {missing}" for missing in answer.missing]
    if answer.asked:
        lines.append(f"  asked for: {', '.join(str(ask) for ask in answer.asked)}")
    for fact in answer.conflict or answer.facts:
        lines.append(f"  {'but' if answer.conflict else 'because'} {fact.text}")
        lines += [f"      {source}" for source in fact.sources]
    if answer.choice is not None and answer.verdict.rank <= 1:
        with_ = answer.choice.told()
        lines += [f"  with {with_}"] if with_ else []
    if answer.nearest:
        lines.append("what would work:")
        for change in answer.nearest:
            lines += _told_change(change)
    return lines


def _told_change(change: Change) -> list[str]:
    lines = [f"  {', '.join(change.texts)}"]
    with_ = change.choice.told()
    lines += [f"      with {with_}"] if with_ else []
    return [*lines, *(f"      on condition: {condition}" for condition in change.conditions)]


def _show_found(session: Session, found: tuple[Combination, ...]) -> None:
    from twinforge.report.tables import Cell, Column, render_table  # noqa: PLC0415 - as above

    columns = [
        Column(name) for name in ("framework", "CUDA", "cuDNN", "Python", "glibc", "verdict")
    ]
    notes = list(dict.fromkeys(text for one in found for text in one.conditions))
    rows = []
    for one in found:
        marks = ", ".join(str(notes.index(text) + 1) for text in one.conditions)
        verdict = f"{one.verdict.value} ({marks})" if marks else one.verdict.value
        rows.append(
            [
                Cell(", ".join(str(pin) for pin in one.choice.frameworks)),
                Cell(one.choice.cuda),
                Cell(one.choice.cudnn),
                Cell(", ".join(one.pythons)),
                Cell(f">={one.glibc}" if one.glibc else ""),
                Cell(verdict, "green" if one.verdict.rank == 0 else "yellow"),
            ]
        )
    session.show(render_table(rows, columns, title="", style=session.style))
    for number, note in enumerate(notes, 1):
        session.show(f"({number}) {note}")
