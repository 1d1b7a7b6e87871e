"""What a connection asks of those who answer its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from twinforge.runtime.http import Reply, Request
    from twinforge.runtime.predictor import Stream

__all__ = ["Answering", "Routes"]

Answering: TypeAlias = "Reply | Stream | Coroutine[Any, Any, Reply | Stream]"


class Routes(Protocol):
    """What answers requests; each that was admitted is finished, whatever happens."""

    @property
    def limit_bytes(self) -> int:
        """How long a body may be; 0 for any length. ``admit`` refuses longer lengths."""

    def admit(self, request: Request) -> Reply | None:
        """Look at the headers; return an answer where the body decides nothing."""

    def answer(self, request: Request) -> Answering:
        """Answer at once, or return a coroutine that does."""

    async def next_piece(self, stream: Stream) -> bytes | None:
        """Return the next piece of a stream, None at its end."""

    def abandon(self, stream: Stream) -> None:
        """Let a stream go that nobody reads any more."""

    def finish(self, request: Request, status: int) -> None:
        """Take note that a request is over; 499 where its sender has gone."""
