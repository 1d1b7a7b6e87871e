"""Trying again: when it can help, how often, and how long to wait in between."""

from __future__ import annotations

import email.utils
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from twinforge.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Retry", "TransientError", "parse_retry_after"]

T = TypeVar("T")


class TransientError(Exception):
    """A request failed in a way that may pass; ``Retry`` makes an end of it, so nobody else sees it.

    ``after_s`` is how long the registry asked us to wait.
    """

    def __init__(self, message: str, *, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.message = message
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently; waits grow by two with full jitter, so that clients spread.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    attempts: int = 6
    base_s: float = 0.25
    cap_s: float = 20.0
    longest_asked_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[float, float], float] = random.uniform

    def run(self, operation: Callable[[], T]) -> T:
        """Run an operation until it succeeds, is refused or has failed too often.

        Raises:
            RegistryError: The last failure, with how often it was tried.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                return operation()
            except TransientError as error:
                if attempt == self.attempts or error.after_s > self.longest_asked_s:
                    times = f"{attempt} times" if attempt > 1 else "once"
                    message = f"{error.message} (tried {times})"
                    hint = "run it again: what the registry already has is not sent twice"
                    raise RegistryError(message, hint=hint) from error
                wait = self.draw(0.0, min(self.cap_s, self.base_s * 2.0**attempt))
                self.sleep(max(wait, error.after_s))
        message = "a retry without attempts"  # pragma: no cover - attempts is at least 1
        raise AssertionError(message)


def parse_retry_after(value: str, *, now: datetime) -> float:
    """Return the seconds that a ``Retry-After`` header asks for; 0 where it says nothing of use.

    >>> parse_retry_after("7", now=datetime(2026, 1, 1, tzinfo=UTC))
    7.0

    Source: RFC 9110, section 10.2.3.
    """
    if value.strip().isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())
