"""The verb ``engine``: the Docker Engine that builds use."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from twinforge.engine.engine import Settings, engine_status, ensure_engine, stop_engine
from twinforge.errors import MissingToolError

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["engine"]


@click.group(epilog="Example: twinforge engine ensure && twinforge engine status")
def engine() -> None:
    """Find the Docker Engine, or set one up where none answers."""


@engine.command(epilog="Example: twinforge engine ensure")
@click.pass_obj
def ensure(session: Session) -> None:
    """Use the engine that answers, else install one (Debian, Ubuntu; root) and start it."""
    with session.progress() as progress:
        found = ensure_engine(Settings(session.environ, session.engine_dir), progress)
    session.show(f"engine {found.version}, buildx {found.buildx}, at {found.host}")
    if found.ours:
        session.show(f"to use it yourself: export DOCKER_HOST={found.host}")


@engine.command(epilog="Example: twinforge engine status --json")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def status(session: Session, *, as_json: bool) -> None:
    """Show which engine answers; exit 7 when none does. Changes nothing."""
    found = engine_status(Settings(session.environ, session.engine_dir))
    values = {
        name: str(v) if v is not None and not isinstance(v, (bool, int)) else v
        for name, v in asdict(found).items()
    }
    if as_json:
        session.show_json(values)
    else:
        for name, value in values.items():
            if value not in {"", None}:
                session.show(f"{name + ':':<16}{value}")
    if not found.reachable:
        message = f"no engine answers at {found.host}"
        hint = "run `twinforge engine ensure`"
        if found.chosen_by:
            message = f"{message}, which {found.chosen_by} names"
            hint = f"start that engine, or choose none and {hint}"
        raise MissingToolError(message, hint=hint)


@engine.command(epilog="Example: twinforge engine stop")
@click.pass_obj
def stop(session: Session) -> None:
    """Stop the engine that `ensure` started, and no other; its images stay."""
    with session.progress() as progress:
        stopped = stop_engine(Settings(session.environ, session.engine_dir), progress)
    session.show("stopped" if stopped else "no engine of ours runs")
