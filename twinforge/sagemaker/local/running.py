"""What runs on the desk, read from the engine: endpoints, jobs, and how they are ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import DeployError, UsageError
from twinforge.events import State
from twinforge.model.suggest import known_or_close
from twinforge.sagemaker.local import train
from twinforge.sagemaker.local.desk import KIND, LABEL, fact_of
from twinforge.sagemaker.local.endpoint import FILLING, GRACE_S, ping
from twinforge.sagemaker.local.means import SHOWN_LINES, stop_box
from twinforge.sagemaker.local.runner import is_held

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.sagemaker.local.desk import Desk, Look
    from twinforge.sagemaker.local.means import LocalMeans

__all__ = ["Entry", "find_endpoint", "find_running", "list_running", "stop_running"]


_LEFT_ALONE_S = 10.0
"""How long who runs a job may take to pack its model, where it can't be told whether anybody does."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that runs.

    Attributes:
        name: Its name.
        kind: ``training``, ``endpoint`` or ``transform``.
        recipe: The recipe.
        variant: The variant's slug.
        instance: The instance type that it is run like.
        status: As the service would say it.
        url: Where an endpoint is reached, or empty.
        created: When it was made.
        box: The container's id.
    """

    name: str
    kind: str
    recipe: str
    variant: str
    instance: str
    status: str
    url: str
    created: str
    box: str

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge local list --json`` prints it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "recipe": self.recipe,
            "variant": self.variant,
            "instance": self.instance,
            "status": self.status,
            "url": self.url,
            "created": self.created,
            "container": self.box,
        }


def list_running(desk: Desk, *, ask: Callable[[str], str] = ping) -> tuple[Entry, ...]:
    """Return all that runs, oldest first; every endpoint is pinged by ``ask``."""
    return tuple(_entry(one, ask) for one in desk.find() if not one.name.endswith(FILLING))


def find_endpoint(desk: Desk, name: str) -> Entry:
    """Return an endpoint by its name.

    Raises:
        UsageError: There is none that runs.
        DeployError: Its container has ended, or has not started yet.
    """
    looks = desk.find("endpoint")
    found = [_entry(one, lambda _: "") for one in looks]
    for entry, look in zip(found, looks, strict=True):
        if entry.name == name and look.is_running and entry.url:
            return entry
        if entry.name == name and not look.name.endswith(FILLING):
            raise _not_serving(desk, entry, look)
    message = f"no endpoint '{name}' runs here{known_or_close(name, [one.name for one in found])}"
    raise UsageError(message, hint="start it with `twinforge local serve`")


def find_running(desk: Desk, name: str) -> Entry:
    """Return an endpoint, a job or a transform by its name; the newest of several.

    Raises:
        UsageError: There is none.
    """
    known = [one for one in desk.find() if not one.name.endswith(FILLING)]
    entries = [_entry(one, lambda _: "") for one in known]
    for entry in reversed(entries):
        if entry.name == name:
            return entry
    raise _nothing_called(name, [one.name for one in entries])


def _nothing_called(name: str, known: Sequence[str]) -> UsageError:
    message = f"nothing called '{name}' runs here{known_or_close(name, sorted(set(known)))}"
    return UsageError(message, hint="see `twinforge local list`")


def _not_serving(desk: Desk, entry: Entry, look: Look) -> DeployError:
    if not look.has_run:
        return DeployError(f"the endpoint '{entry.name}' is {entry.status}: it does not serve yet")
    lines = (f"  | {line}" for line in desk.last_lines(look.id, SHOWN_LINES))
    why = f"the container of '{entry.name}' ended with status {look.exit_status}"
    hint = "it needed more memory than it has; " if look.was_out_of_memory else ""
    end = f"end it with `twinforge local stop {entry.name}`"
    return DeployError("\n".join([why, *lines]), hint=f"{hint}{end}")


def stop_running(means: LocalMeans, names: Sequence[str], *, dry_run: bool) -> tuple[Entry, ...]:
    """End what has these names, or all where none is given; return what was found.

    An endpoint gets SIGTERM and 30 s, a training job SIGTERM and 120 s. Whoever runs the job does
    that, however long its model then takes to pack; where nobody does, nothing of it stays.

    Raises:
        UsageError: Nothing of a name runs; nothing is ended then.
    """
    desk = means.desk
    everything = [_entry(one, lambda _: "") for one in desk.find()]
    known = sorted({one.name for one in everything})
    for name in names:
        if name not in known:
            raise _nothing_called(name, known)
    chosen = tuple(one for one in everything if not names or one.name in names)
    for entry in () if dry_run else chosen:
        means.tell(entry.name, State.STARTED, "Stopping")
        if entry.kind == "training":
            _stop_job(means, entry)
        else:
            stop_box(means, entry.box, GRACE_S)
            desk.remove(entry.box)
        means.tell(entry.name, State.DONE, "Stopped")
    if not names and not dry_run:
        desk.sweep()
    return chosen


def _stop_job(means: LocalMeans, entry: Entry) -> None:
    desk, patience = means.desk, means.patience
    found = desk.look(entry.box)
    if found is None:
        return
    if not found.name.endswith(train.STOPPING):
        desk.rename(entry.box, f"{found.name}{train.STOPPING}")
    lock = fact_of(found, train.RUNNER)
    deadline = patience.clock() + train.GRACE_S + _LEFT_ALONE_S
    while (found := desk.look(entry.box)) is not None and is_held(lock):
        if found.is_running and patience.clock() > deadline:  # it does not do it
            break
        patience.sleep(patience.poll_s)
    stop_box(means, entry.box, train.GRACE_S)
    deadline = patience.clock() + _LEFT_ALONE_S
    while desk.look(entry.box) is not None:
        held = is_held(lock)
        if held is False or (held is None and patience.clock() >= deadline):
            break
        patience.sleep(patience.poll_s)
    desk.remove(entry.box)


def _entry(found: Look, ask: Callable[[str], str]) -> Entry:
    kind = found.labels.get(KIND, "")
    return Entry(
        name=found.labels.get(LABEL, "").partition("/")[2],
        kind=kind,
        recipe=fact_of(found, "recipe"),
        variant=fact_of(found, "variant"),
        instance=fact_of(found, "instance"),
        status=_status(found, kind, ask),
        url=found.url,
        created=found.created,
        box=found.id,
    )


def _status(found: Look, kind: str, ask: Callable[[str], str]) -> str:
    if kind == "endpoint":
        if not found.has_run:
            return "Creating"
        if not found.is_running:
            return "Failed"
        return "OutOfService" if ask(found.url) else "InService"
    if found.name.endswith(train.STOPPING):
        return "Stopping"
    return "InProgress"
