"""Words and numbers as a person reads them, safe to print."""

from __future__ import annotations

import re

__all__ = ["clean", "human_bytes", "human_seconds"]

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, movements of the cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: titles, links
    r"|\x1b[@-Z\\^_]"  # the two-character sequences
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNITS = ("kB", "MB", "GB", "TB", "PB")
_STEP = 1000
_MINUTE_S = 60
_HOUR_S = 3600
_TENTHS_BELOW_S = 10


def clean(text: str) -> str:
    r"""Return the text without control codes, which child processes print and a terminal obeys.

    Line ends stay, tabs become a space.

    >>> clean("\x1b[31mred\x1b[0m\tand\rmore")
    'red andmore'
    """
    return _CONTROL.sub("", _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\t", " "))


def human_bytes(size_bytes: int) -> str:
    """Return a size in decimal units with three digits, as Docker shows sizes.

    >>> human_bytes(999), human_bytes(1_234), human_bytes(56_789_000)
    ('999 B', '1.23 kB', '56.8 MB')
    """
    if abs(size_bytes) < _STEP:
        return f"{size_bytes} B"
    units = iter(_UNITS)
    value, unit = size_bytes / _STEP, next(units)
    while round(abs(value)) >= _STEP and (bigger := next(units, "")):
        value, unit = value / _STEP, bigger
    return f"{value:.3g} {unit}" if round(abs(value)) < _STEP else f"{value:.0f} {unit}"


def human_seconds(duration_s: float) -> str:
    """Return a duration: tenths below ten seconds, else whole seconds, minutes or hours.

    >>> human_seconds(0.42), human_seconds(59.7), human_seconds(125), human_seconds(3720)
    ('0.4 s', '1 min 00 s', '2 min 05 s', '1 h 02 min')
    """
    if round(duration_s, 1) < _TENTHS_BELOW_S:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02d} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02d} min"
