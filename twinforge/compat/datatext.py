"""Records as the data files have them: one mapping each, wrapped, without what is not given."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

__all__ = ["list_text", "mapping_text", "value_text", "with_section"]

_WIDTH = 118
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})


def list_text(records: Iterable[BaseModel]) -> str:
    """Return records as the items of a list."""
    return "\n".join(_record(record) for record in records)


def mapping_text(values: dict[str, str]) -> str:
    """Return texts as the entries of a mapping, sorted by their keys."""
    return "\n".join(
        f"  {key}: {json.dumps(text, ensure_ascii=False)}" for key, text in sorted(values.items())
    )


def value_text(value: object) -> str:
    """Return a value in YAML's flow style; text is quoted where it could be taken for something else.

    >>> print(value_text({"versions": ["2.0", "2.1"], "device": "cpu"}))
    {versions: ["2.0", "2.1"], device: cpu}
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {value_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(value_text(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    return str(value)


def with_section(text: str, name: str, content: str) -> str:
    """Replace what stands below a key, up to the next line that begins at the left."""
    section = re.compile(rf"^{name}:\n(?:  .*\n|\n(?=  ))+", re.MULTILINE)
    # a function, because the text may hold what means something in a replacement
    return section.sub(lambda _: f"{name}:\n{content}\n", text, count=1)


def _record(record: BaseModel) -> str:
    given = record.model_dump(exclude_defaults=True)
    last = [
        name for name in ("source", "source_of", "unverified", "verified", "note") if name in given
    ]
    names = [name for name in given if name not in last] + last
    lines, line = [], "  - {"
    for index, name in enumerate(names):
        end = "}" if index == len(names) - 1 else ","
        piece = f"{name}: {value_text(given[name])}{end}"
        if len(line) + len(piece) + 1 > _WIDTH and not line.endswith("{"):
            lines.append(line)
            line = f"     {piece}"
        else:
            line += piece if line.endswith("{") else f" {piece}"
    return "\n".join([*lines, line])
