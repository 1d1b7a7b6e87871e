"""What happens during a run, as values: rooms tell, the report shows, and neither knows the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

__all__ = ["Event", "Listener", "State", "ignore"]


class State(Enum):
    """What an event says of its node."""

    STARTED = "started"
    PROGRESS = "progress"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        stage: What the run does: ``base``, ``lock``, ``build``, ``smoke``, ``push``, ``engine``,
            ``select``, ``upload``, ``train``, ``serve``, ``transform``, ``stop``, ``deploy``,
            ``rollback``, ``delete``, ``gc``, ``fetch``.
        node: What it happened to, such as a variant's id.
        state: What happened.
        text: One line for a person; may be empty.
        done: How much of ``total`` is done, in ``unit``.
        total: 0 where it is not known.
        unit: ``bytes`` or ``steps``.
    """

    stage: str
    node: str
    state: State
    text: str = ""
    done: int = 0
    total: int = 0
    unit: str = "steps"


Listener = Callable[[Event], None]
"""Takes events from any thread; must not raise and must not block."""


def ignore(event: Event) -> None:
    """Take an event and do nothing with it."""
    del event
