"""YAML, read strictly: every node knows its line and column, and nothing is guessed.

A document is one mapping. Duplicate keys, tags, a second document, aliases that explode and scalars
that readers of YAML 1.1 and 1.2 understand differently (``yes``, ``010``, ``2026-01-01``, ``1:30``)
are problems with a position, never values. The source text of each scalar is kept, so that a message
can show what was written: PyYAML's own constructors would turn ``3.10`` into ``3.1`` for good.

Source: https://yaml.org/spec/1.2.2/#103-core-schema and https://yaml.org/type/ (YAML 1.1).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import yaml
from yaml.reader import Reader

from twinforge.errors import Problem, ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Document",
    "Node",
    "Unclear",
    "Where",
    "parse_yaml",
    "show_bare",
    "show_value",
    "show_where",
]

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 32
_SHOWN_CHARACTERS = 80

Where: TypeAlias = "tuple[str | int, ...]"

_CREDENTIALS = re.compile(r"://[^\s/]*@")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"(?P<yes>true|True|TRUE)|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(
    r"[-+]?(?=[0-9]*[.eE]|\.)(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
)
_UNCLEAR = (
    (re.compile(r"(?i:yes|no|on|off)"), "a boolean"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?"), "a date"),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"), "a number of base 60"),
    (re.compile(r"[-+]?0o?[0-7_]+"), "an octal number"),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]+"), "a hexadecimal number"),
    (re.compile(r"[-+]?0b[01_]+"), "a binary number"),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), "a number that is not finite"),
    (re.compile(r"[-+]?\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"), "a number"),
    (re.compile(r"<<|="), "a command of YAML 1.1"),
)


@dataclass(frozen=True, slots=True)
class Unclear:
    """A plain scalar that some readers of YAML take for something else than others do."""

    text: str
    reads_as: str


@dataclass(frozen=True, slots=True)
class Node:
    """A scalar, a list or a mapping with the place where it starts (counted from 1).

    ``content`` is a scalar's value, a tuple of nodes, or a mapping from keys to nodes; ``keys``
    holds the places of a mapping's keys. ``size`` counts the nodes with all aliases expanded.
    ``source`` is how a scalar stands in the file, where that is more than ``text`` on one line. An
    alias stands where it is written, and what is inside of it where its anchor is.
    """

    line: int
    column: int
    content: object
    text: str = ""
    keys: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1
    source: str = ""

    def child(self, step: str | int) -> Node | None:
        """Return the value of a key or the item of a list, or None where there is none."""
        if isinstance(step, str) and isinstance(self.content, Mapping):
            found = self.content.get(step)
            return found if isinstance(found, Node) else None
        if isinstance(step, int) and isinstance(self.content, tuple) and step < len(self.content):
            item = self.content[step]
            return item if isinstance(item, Node) else None
        return None


@dataclass(frozen=True, slots=True)
class Document:
    """One file. ``problems`` are those after which reading could go on, such as duplicate keys."""

    path: str
    root: Node
    problems: tuple[Problem, ...]

    def node(self, where: Sequence[str | int]) -> Node | None:
        """Return the node at a path of keys and indices, or None."""
        node: Node | None = self.root
        for step in where:
            node = node.child(step) if node else None
        return node

    def position(self, where: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Return line and column of a node, or of the deepest node around it that exists.

        Args:
            where: The keys and indices that lead to it.
            key: Whether the place of the last key is meant and not that of its value.
        """
        node = self.root
        for depth, step in enumerate(where, 1):
            if key and depth == len(where) and isinstance(step, str) and step in node.keys:
                return node.keys[step]
            found = node.child(step)
            if found is None:
                break
            node = found
        return node.line, node.column

    def position_inside(self, where: Sequence[str | int], offset: int) -> tuple[int, int]:
        """Return line and column of a character of a scalar's text.

        Quotes, folded lines and the indentation of blocks are followed. Where an escape makes one
        character of several, it is the place at which the scalar starts.
        """
        node = self.node(where)
        if node is None:
            return self.position(where)
        inside = _offset_in_source(node, offset)
        if inside is None:
            return node.line, node.column
        before = node.source[:inside] if node.source else node.text[:inside]
        lines, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
        return node.line + lines, (1 if lines else node.column) + column

    def problem(self, where: Where, message: str, *, key: bool = False) -> Problem:
        """Return a problem of this file with the position of a node (see ``position``)."""
        line, column = self.position(where, key=key)
        return Problem(self.path, line, column, show_where(where), message)

    def value(self, as_written: Sequence[Where] = ()) -> dict[str, object]:
        """Return plain mappings, tuples and scalars.

        Args:
            as_written: Paths of mappings whose plain scalars are wanted as their source text
                (``0.10`` stays ``"0.10"``), except null.
        """
        built = _value(self.root, (), frozenset(as_written))
        if not isinstance(built, dict):
            message = "the root of a document is always a mapping"
            raise TypeError(message)
        return built


def parse_yaml(data: bytes, path: str) -> Document:
    """Parse the content of a file.

    Args:
        data: The whole file.
        path: What problems call the file; relative to the project.

    Raises:
        ProjectError: It can't be read as one mapping; what could be found out is in ``problems``.
    """
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data)} bytes; {MAX_BYTES} are allowed"
        raise ProjectError([Problem(path, 0, 0, "", message)])
    text = _decode(data, path)
    builder = _Builder(path)
    try:
        root = builder.document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise ProjectError([*builder.problems, _syntax_problem(error, path)]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML converts \UFFFFFFFF and the digits of %YAML without checking them
        problem = Problem(path, *builder.last, "", "an escape or a directive near here is not YAML")
        raise ProjectError([*builder.problems, problem]) from error
    return Document(path, root, tuple(builder.problems))


def show_value(value: object) -> str:
    r"""Return a value in quotes, on one line, of bounded length and without a URL's credentials.

    >>> print(show_value("a" + chr(10) + "b"))
    'a\nb'
    """
    return f"'{show_bare(value)}'"


def show_bare(value: object) -> str:
    """Return a value as ``show_value`` does, without the quotes."""
    text = _CREDENTIALS.sub("://***@", str(value))
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def show_where(where: Where) -> str:
    """Return a path inside a document as people write it.

    >>> show_where(("smoke", "invocations", 0, "json", "/0"))
    'smoke.invocations[0].json["/0"]'
    """
    parts: list[str] = []
    for step in where:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif len(step) <= _SHOWN_CHARACTERS and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", step):
            parts.append(f".{step}" if parts else step)
        else:
            shown = step if len(step) <= _SHOWN_CHARACTERS else f"{step[:_SHOWN_CHARACTERS]}..."
            parts.append(f"[{json.dumps(shown)}]")
    return "".join(parts)


def _decode(data: bytes, path: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise ProjectError([Problem(path, *_after(before), "", message)]) from error
    text = text.removeprefix("\ufeff")
    found = Reader.NON_PRINTABLE.search(text)
    if found:
        message = f"the character U+{ord(found.group()):04X} is not allowed in YAML"
        raise ProjectError([Problem(path, *_after(text[: found.start()]), "", message)])
    return text


def _after(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


def _syntax_problem(error: yaml.MarkedYAMLError, path: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    buffer = mark.buffer if mark else None
    if mark and buffer and buffer[mark.pointer : mark.pointer + 1] == "\t":
        message = "a tab can't start anything in YAML; indent with spaces"
        return Problem(path, line, column, "", message)
    words = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(path, line, column, "", f"not YAML: {' '.join(words.split())}")


def _scalar(text: str, *, plain: bool) -> object:
    if not plain or _NULL.fullmatch(text):
        return None if plain else text
    if boolean := _BOOLEAN.fullmatch(text):
        return boolean["yes"] is not None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else Unclear(text, "a number that is not finite")
    for pattern, reads_as in _UNCLEAR:
        if pattern.fullmatch(text):
            return Unclear(text, reads_as)
    return text


def _value(node: Node, where: Where, as_written: frozenset[Where]) -> object:
    content = node.content
    if isinstance(content, Mapping):
        return {key: _value(child, (*where, key), as_written) for key, child in content.items()}
    if isinstance(content, tuple):
        return tuple(_value(item, (*where, i), as_written) for i, item in enumerate(content))
    if content is not None and as_written and where[:-1] in as_written:
        return node.text
    return content


class _Builder:
    """Turns parser events into nodes, with limits that hold while they come in."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.last = (1, 1)
        self._count = 0
        self._anchors: dict[str, Node | None] = {}

    def document(self, events: Iterator[yaml.Event]) -> Node:
        """Return the root of the only document.

        Raises:
            ProjectError: There is none, more than one, or it is no mapping.
        """
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._place(event)
                    self._refuse("a second document starts here; a file holds one")
                root = self._node(next(events), events, ())
        if root is None or (root.content is None and not root.text):
            self.last = (0, 0)
            self._refuse("the file is empty")
        if not isinstance(root.content, Mapping):
            self.last = (root.line, root.column)
            found = "a list" if isinstance(root.content, tuple) else "one value"
            self._refuse(f"a mapping is needed, not {found}")
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], where: Where) -> Node:
        line, column = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            target = self._alias(str(event.anchor), where)
            # what is wrong with it may be right at the anchor
            return replace(target, line=line, column=column, source=f"*{event.anchor}")
        self._grow(1, where)
        if len(where) > MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels", where[:1])
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None
        self._check_tag(event, where)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None and event.tag is None
            text = self._without_surrogates(event.value, where)
            node = Node(line, column, _scalar(text, plain=plain), text, source=_source(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(following := next(events), yaml.SequenceEndEvent):
                items.append(self._node(following, events, (*where, len(items))))
            size = 1 + sum(item.size for item in items)
            node = Node(line, column, tuple(items), size=size)
        else:
            node = self._mapping(line, column, events, where)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _mapping(self, line: int, column: int, events: Iterator[yaml.Event], where: Where) -> Node:
        children: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        size = 1
        while not isinstance(following := next(events), yaml.MappingEndEvent):
            key = self._node(following, events, where)
            step = key.text if _is_scalar(key) else "?"
            value = self._node(next(events), events, (*where, step))
            size += value.size + 1
            place = (key.line, key.column)
            if not isinstance(key.content, str):
                self.problems.append(self._problem(_key_message(key), where, place))
            elif step in children:
                message = (
                    f"duplicate key {show_value(step)}; the first one is in line {keys[step][0]}"
                )
                self.problems.append(self._problem(message, where, place))
            else:
                children[step] = value
                keys[step] = place
        return Node(line, column, children, keys=keys, size=size)

    def _alias(self, name: str, where: Where) -> Node:
        if name not in self._anchors:
            self._refuse(f"the alias {show_value('*' + name)} has no anchor before it", where)
        target = self._anchors[name]
        if target is None:
            self._refuse(f"the alias {show_value('*' + name)} stands inside its own anchor", where)
        self._grow(target.size, where)
        return target

    def _without_surrogates(self, text: str, where: Where) -> str:
        found = _SURROGATE.search(text)
        if not found:
            return text
        # PyYAML lets them through, and nothing that is written as UTF-8 can hold them
        message = f"the escape {show_value(found.group())} is half of a character; write it itself"
        self.problems.append(self._problem(message, where, self.last))
        return _SURROGATE.sub("\ufffd", text)

    def _check_tag(self, event: yaml.Event, where: Where) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and not (isinstance(event, yaml.ScalarEvent) and tag in {"!", _STRING}):
            message = f"the tag {show_value(tag)} is not supported; only plain YAML is"
            self.problems.append(self._problem(message, where, self.last))

    def _grow(self, count: int, where: Where) -> None:
        self._count += count
        if self._count > MAX_NODES:
            self._refuse(f"more than {MAX_NODES} values, with aliases expanded", where)

    def _place(self, event: yaml.Event) -> tuple[int, int]:
        mark = event.start_mark
        if mark:  # the stubs say that it may be missing; events of a parser always have it
            self.last = (mark.line + 1, mark.column + 1)
        return self.last

    def _problem(self, message: str, where: Where, place: tuple[int, int]) -> Problem:
        return Problem(self.path, *place, show_where(where), message)

    def _refuse(self, message: str, where: Where = ()) -> NoReturn:
        raise ProjectError([*self.problems, self._problem(message, where, self.last)])


_STRING = "tag:yaml.org,2002:str"
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)+")


def _source(event: yaml.ScalarEvent) -> str:
    """Return how a scalar stands in the file, from its anchor, tag, quote or block's header on.

    Empty where that is its text, on one line.
    """
    start, end = event.start_mark, event.end_mark
    buffer = start.buffer if start else None
    if start is None or end is None or buffer is None:
        return ""
    has_properties = event.anchor is not None or event.tag is not None
    is_text = event.style is None and start.line == end.line and not has_properties
    return "" if is_text else buffer[start.pointer : end.pointer]


def _offset_in_source(node: Node, offset: int) -> int | None:
    """Return where a character of the text stands in the source, or None if that is not clear.

    Reading a scalar changes nothing but blanks and line ends, apart from escapes.
    """
    if not node.source:
        return offset
    properties = _PROPERTIES.match(node.source)
    start = properties.end() if properties else 0
    first = node.source[start : start + 1]
    quote = first if first in {"'", '"'} else ""
    if quote:
        start += 1
    elif first in {"|", ">"}:
        start = node.source.find("\n", start) + 1
    body = node.source[start : len(node.source) - len(quote)]
    solid = [index for index, character in enumerate(body) if not character.isspace()]
    read = [character for character in node.text if not character.isspace()]
    if [body[index] for index in solid] != read:
        return None
    before = sum(not character.isspace() for character in node.text[:offset])
    if before < len(solid):
        return start + solid[before]
    return start + (solid[-1] + 1 if solid else 0)


def _is_scalar(node: Node) -> bool:
    return not isinstance(node.content, Mapping | tuple)


def _key_message(key: Node) -> str:
    if not _is_scalar(key):
        return "a key is text, not a list or a mapping"
    if key.content is None:
        return "a key is text, and nothing stands here"
    if key.text == "<<":
        return "merging by << is YAML 1.1 only; write the keys themselves"
    shown = show_bare(key.text)
    return f'a key is text, and {shown} is not; quote it: "{shown}"'
