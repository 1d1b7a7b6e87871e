"""Staying with an endpoint: its log, its health, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.errors import DeployError
from twinforge.events import State
from twinforge.sagemaker.local.endpoint import ping
from twinforge.sagemaker.local.means import Log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twinforge.sagemaker.local.endpoint import Hosted
    from twinforge.sagemaker.local.means import LocalMeans

__all__ = ["watch"]

PING_EVERY_S = 5.0


def watch(
    means: LocalMeans, name: str, hosted: Hosted, log: Path, *, ask: Callable[[str], str] = ping
) -> None:
    """Follow an endpoint's log and ping it until it is stopped; say when its health changes.

    Args:
        means: The engine, patience and a listener.
        name: Of the endpoint.
        hosted: Its container.
        log: Gets all that it prints; replaced.
        ask: Pings.

    Raises:
        DeployError: The container ended by itself.
    """
    patience, desk = means.patience, means.desk
    follower = Log(means, name, log)
    said = ""
    next_ping = patience.clock() + PING_EVERY_S
    with follower.following(hosted.box):
        while (found := desk.look(hosted.box)) is not None and found.is_running:
            follower.tell()
            if patience.clock() >= next_ping:
                trouble = ask(hosted.url)
                if trouble != said:
                    healthy = "/ping says 200 again"
                    text = f"/ping: {trouble}; SageMaker would replace the instance"
                    means.tell(name, State.NOTE, text if trouble else healthy)
                said = trouble
                next_ping = patience.clock() + PING_EVERY_S
            patience.sleep(patience.poll_s)
    if found is not None and (found.was_out_of_memory or not _was_stopped(found.exit_status)):
        lines = "\n".join(f"  | {line}" for line in follower.last)
        message = f"the container of '{name}' ended with status {found.exit_status}\n{lines}"
        hint = "it needed more memory than it has; " if found.was_out_of_memory else ""
        raise DeployError(message, hint=f"{hint}its whole log is {log}")


def _was_stopped(exit_status: int) -> bool:
    return exit_status in {0, 137, 143}  # of its own accord after SIGTERM, or by a signal's default
