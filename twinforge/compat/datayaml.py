"""YAML of files that come with Twinforge, read fast: a program that only answers a question waits for it.

PyYAML makes a node of every value before it makes the value, which takes longer than parsing. Here
values are made from the parser's events, by PyYAML's own rules; a file with anchors, tags or keys
that are not scalars is left to PyYAML as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["read_data"]

_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "null", "str", "timestamp")
)
# libyaml parses ten times as fast, where PyYAML was built with it
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_data(text: str) -> object:
    """Return what the only document of a text holds: dicts, lists and scalars.

    Raises:
        yaml.YAMLError: It is no YAML, or not one document.
    """
    try:
        return _Reader(text).document()
    except _UnusualError:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - both loaders are safe ones


class _UnusualError(Exception):
    """The text has something that is not read here."""


class _Reader:
    """Makes values of events."""

    def __init__(self, text: str) -> None:
        self._loader: Any = _LOADER(text)
        self._next = self._loader.get_event
        self._plain: dict[str, Hashable] = {}

    def document(self) -> object:
        """Return the value of the only document."""
        self._pass(yaml.StreamStartEvent, yaml.DocumentStartEvent)
        value = self._value(self._next())
        self._pass(yaml.DocumentEndEvent, yaml.StreamEndEvent)
        return value

    def _pass(self, *kinds: type[yaml.Event]) -> None:
        for kind in kinds:
            if type(self._next()) is not kind:
                raise _UnusualError

    def _value(self, event: Any) -> object:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            return self._scalar(event)
        if kind is yaml.AliasEvent or event.anchor is not None or event.tag is not None:
            raise _UnusualError
        following = self._next
        if kind is yaml.SequenceStartEvent:
            items = []
            while type(event := following()) is not yaml.SequenceEndEvent:
                items.append(self._value(event))
            return items
        found = {}
        while type(event := following()) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent:
                raise _UnusualError
            key = self._scalar(event)
            found[key] = self._value(following())
        return found

    def _scalar(self, event: Any) -> Hashable:
        is_plain, is_quoted = event.implicit
        if event.anchor is not None or not (is_plain or is_quoted):
            raise _UnusualError
        text: str = event.value
        if not is_plain:
            return text
        if text not in self._plain:
            tag = self._loader.resolve(yaml.ScalarNode, text, event.implicit)
            if tag not in _TAGS:  # "<<" and "=", which say something about the mapping
                raise _UnusualError
            self._plain[text] = self._loader.construct_object(yaml.ScalarNode(tag, text))
        return self._plain[text]
