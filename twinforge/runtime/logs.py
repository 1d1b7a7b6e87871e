"""One line of JSON per event on standard output; what a request or an answer holds is never in it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import traceback
from typing import Any

__all__ = ["log", "log_exception"]


def log(level: str, event: str, **facts: Any) -> None:
    """Write one event; values must be plain."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    line = {"time": f"{stamp}.{int(now * 1000) % 1000:03d}Z", "level": level, "event": event}
    text = json.dumps({**line, "pid": os.getpid(), **facts}, default=str, ensure_ascii=False)
    # Half of a surrogate pair, which UTF-8 has not, is one of JSON's escapes.
    printable = text.encode(errors="backslashreplace").decode()
    # One write, so that lines of several processes don't mix; and not to what the user's code may
    # have put in the place of the output. Where that has closed it, there is no log.
    with contextlib.suppress(OSError, ValueError):
        if sys.__stdout__ is not None:
            sys.__stdout__.write(f"{printable}\n")
            sys.__stdout__.flush()


def log_exception(event: str, error: BaseException, **facts: Any) -> None:
    """Write an error with its traceback."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    log("error", event, **facts, error=type(error).__name__, traceback="".join(lines))
