"""The end of a build: what was built, and what failed and where, as tables and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from twinforge.report.tables import Cell, Column, Style, render_table
from twinforge.report.text import clean, human_bytes, human_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BuildRow", "BuildSummary", "FailureRow", "render_summary", "shared_bytes"]

_SHORT = 12
_OUTPUT_LINES = 10
_GOOD, _BAD = "green", "red"
_NOT_RUN = "yellow"


@dataclass(frozen=True, slots=True)
class BuildRow:
    """One image of a run.

    Attributes:
        variant: Its id.
        tag: The version tag.
        image_id: ``sha256:...``.
        size_bytes: Of its layers together.
        shared_bytes: Of the layers that at least one sibling holds too.
        is_new: Whether this run built or smoked it; of an image that nothing was done to, the table
            shows no build time.
        build_s: None where nothing was built.
        ping_s: From ``docker run`` to the first answer of ``/ping``; None where it was not asked.
        smoke: ``passed``, ``failed`` or ``not run``. A check that did not run is not a pass.
    """

    variant: str
    tag: str
    image_id: str
    size_bytes: int
    shared_bytes: int
    is_new: bool
    build_s: float | None
    ping_s: float | None
    smoke: str


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One thing that failed, and where to look.

    Attributes:
        variant: Its id, or the name of a base.
        verb: What was being done: ``build``, ``smoke``, ``push``.
        stage: The Dockerfile's stage, or the check; may be empty.
        dockerfile: ``path:line`` of the Dockerfile's line; empty where it is not known.
        recipe: ``path:line`` of the recipe's line that it follows from; empty likewise.
        message: What happened.
        log: The log file, relative to the project.
        output: The last lines that what failed has printed; may be empty.
    """

    variant: str
    verb: str
    stage: str
    dockerfile: str
    recipe: str
    message: str
    log: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """A whole run. Variants that were skipped because of a failure are in ``skipped``, by id."""

    rows: tuple[BuildRow, ...]
    failures: tuple[FailureRow, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether nothing failed, nothing was skipped, and every image that is there passed."""
        passed = all(row.smoke == "passed" for row in self.rows)
        return passed and not self.failures and not self.skipped

    def as_json(self) -> dict[str, Any]:
        """Return everything in values that JSON has, numbers unrounded and in base units."""
        return {
            "images": [asdict(row) for row in self.rows],
            "failures": [asdict(row) for row in self.failures],
            "skipped": list(self.skipped),
        }


_COLUMNS = (
    Column("variant"),
    Column("tag"),
    Column("image"),
    Column("size", is_number=True),
    Column("shared", is_number=True),
    Column("build", is_number=True),
    Column("/ping", is_number=True),
    Column("smoke"),
)
_FAILURE_COLUMNS = (
    Column("failed"),
    Column("verb"),
    Column("stage"),
    Column("dockerfile"),
    Column("recipe"),
    Column("message"),
    Column("log"),
)


def render_summary(summary: BuildSummary, *, style: Style = Style()) -> str:  # noqa: B008 - frozen
    """Return the tables of a run: images, what failures printed, failures, and what they kept from it."""
    parts = []
    if summary.rows:
        rows = [_image_cells(row) for row in summary.rows]
        parts.append(render_table(rows, _COLUMNS, style=style))
    if summary.failures:
        # one line alone stands in the message
        parts += [_output(row) for row in summary.failures if "\n" in row.output.strip()]
        failed = [_failure_cells(row) for row in summary.failures]
        title = f"{len(summary.failures)} failed"
        parts.append(render_table(failed, _FAILURE_COLUMNS, title=title, style=style))
    if summary.skipped:
        parts.append(f"not tried after that: {', '.join(summary.skipped)}\n")
    return "\n".join(parts)


def shared_bytes(layers: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return for each image how many bytes of its layers at least one other image holds too.

    Args:
        layers: Image -> digest of a layer -> its size in bytes.

    >>> shared_bytes({"cpu": {"a": 10, "b": 5}, "cuda": {"a": 10, "c": 7}})
    {'cpu': 10, 'cuda': 10}
    """
    holders = Counter(digest for image in layers.values() for digest in image)
    return {
        name: sum(size for digest, size in image.items() if holders[digest] > 1)
        for name, image in layers.items()
    }


def _image_cells(row: BuildRow) -> list[str | Cell]:
    colour = {"passed": _GOOD, "failed": _BAD}.get(row.smoke, _NOT_RUN)
    built = human_seconds(row.build_s) if row.is_new and row.build_s is not None else "up to date"
    return [
        row.variant,
        row.tag,
        row.image_id.removeprefix("sha256:")[:_SHORT],
        human_bytes(row.size_bytes),
        human_bytes(row.shared_bytes),
        built,
        "-" if row.ping_s is None else human_seconds(row.ping_s),
        Cell(row.smoke, colour),
    ]


def _output(row: FailureRow) -> str:
    """Return the end of what was printed: the message's line may not be the one that tells."""
    lines = clean(row.output).splitlines()[-_OUTPUT_LINES:]
    return f"{row.variant} printed last:\n" + "".join(f"    {line}\n" for line in lines)


def _failure_cells(row: FailureRow) -> list[str | Cell]:
    return [
        Cell(row.variant, _BAD),
        row.verb,
        row.stage,
        row.dockerfile,
        row.recipe,
        row.message,
        row.log,
    ]
