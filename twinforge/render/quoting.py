"""Values at their places: what stands in a Dockerfile or a shell word can't become anything else.

The model refuses what does not fit its field; this is the second lock on the same door, at the
place where text is written, so that a template can't forget the first.

Source: https://docs.docker.com/reference/dockerfile/ ("Environment replacement", "LABEL", "RUN").
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from itertools import cycle

__all__ = [
    "dockerfile_string",
    "one_line",
    "plain_name",
    "plain_word",
    "shell_command",
    "shell_word",
    "timeless",
]

# Controls, surrogates (no UTF-8), line and paragraph separators; what is left can't end a line in
# anything that reads one.
_ENDS_LINES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BEFORE_QUOTE = re.compile(r'(\\+)(?="|\Z)')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+:~=/@-]*")


def one_line(text: str) -> str:
    """Return the text when it holds no control character and no line end of any kind.

    Raises:
        ValueError: It does; it could then end a comment or an instruction.
    """
    if not _ENDS_LINES.isdisjoint(map(unicodedata.category, text)):
        message = f"{text!r} holds a control character or a line end"
        raise ValueError(message)
    return text


def plain_word(text: str) -> str:
    """Return the text when it needs no quoting at all, in any shell or instruction.

    Raises:
        ValueError: It holds anything else than letters, digits and ``_.+:~=/@-``.
    """
    if not _PLAIN.fullmatch(text):
        message = f"{text!r} is not a plain word"
        raise ValueError(message)
    return text


def plain_name(text: str) -> str:
    """Return the text when it can stand before the ``=`` of ``ENV`` and ``LABEL``.

    Raises:
        ValueError: It holds anything else than letters, digits and ``_.-``, or begins with a digit.
    """
    if not _NAME.fullmatch(text):
        message = f"{text!r} is not a plain name"
        raise ValueError(message)
    return text


def dockerfile_string(text: str) -> str:
    r"""Return the text as a double-quoted value of ``ENV`` and ``LABEL``.

    >>> print(dockerfile_string('a "b" $HOME'))
    "a \"b\" \$HOME"
    """
    # Backslashes before a quote go between two quoted parts: BuildKit reads both forms, but hadolint
    # takes the quote after an escaped backslash for an escaped quote.
    parts = _BEFORE_QUOTE.split(one_line(text))
    return "".join(
        part.replace("\\", "\\\\") if is_run else f'"{_escaped(part)}"'
        for part, is_run in zip(parts, cycle((False, True)), strict=False)
    )


def shell_word(text: str) -> str:
    """Return the text as one word of a POSIX shell on one line."""
    return shlex.quote(one_line(text))


def timeless(script: str, epoch: int) -> str:
    """Return a script that runs another and then gives what it wrote a fixed time.

    Two runs of the script then give the same layer, as long as the contents are the same. The stamp
    is in a folder that the template mounts, so it is no part of the layer.
    """
    return (
        f"touch /run/twinforge/before\n(\n{script.rstrip()}\n)\n"
        f"find / -xdev -newer /run/twinforge/before -exec touch -hcd @{epoch} {{}} +"
    )


def shell_command(script: str) -> str:
    r"""Return a script, of any number of lines, as the exec form of ``RUN``.

    JSON keeps line ends inside the string, so that a line of the script can't become an
    instruction.

    >>> print(shell_command("make\nFROM x"))
    ["/bin/sh", "-euc", "make\nFROM x"]
    """
    return json.dumps(["/bin/sh", "-euc", script], ensure_ascii=True)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
