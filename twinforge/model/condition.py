"""Conditions: what ``when`` says of a variant, such as ``cuda >= 12.4 and python < 3.12``.

The grammar, from what binds least to what binds most::

    condition   = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | "(" condition ")" | comparison
    comparison  = NAME ("==" | "!=" | "<" | "<=" | ">" | ">=") VALUE
                | NAME ["not"] "in" "[" VALUE { "," VALUE } "]"
    VALUE       = a word such as 12.4, cu118 or debian-*, or a text in quotes

Names are axes, derived axes, ``recipe``, and ``kind``, ``cuda`` and ``cudnn`` of the accelerator.
Versions are compared as versions (PEP 440: ``3.9 < 3.10``, ``12.0 == 12``), everything else as text;
``*`` and ``?`` of a value stand for any characters. What is no version, or not there at all, is
neither less nor greater than anything.

It is written by hand since the whole of it is shorter than a grammar's translation into these
messages would be, and nothing of it can run code or take more than linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from packaging.version import InvalidVersion, Version

from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "ORDERINGS",
    "AllOf",
    "AnyOf",
    "Comparison",
    "Condition",
    "ConditionError",
    "Literal",
    "Negation",
    "as_version",
    "compares",
    "comparisons",
    "holds",
    "parse_condition",
]

MAX_LENGTH = 1000
MAX_DEPTH = 20
ORDERINGS = ("<", "<=", ">", ">=")
_KEYWORDS = ("and", "or", "not", "in")
_TOKEN = re.compile(
    r"\s*(?:(?P<operator>==|!=|<=|>=|<|>)|(?P<mark>[()\[\],])"
    r"|(?P<quoted>'[^'\n]*'|\"[^\"\n]*\")|(?P<word>[A-Za-z0-9*?][A-Za-z0-9._+*?-]*))"
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LOOKALIKES = {"=": "==", "&&": "and", "||": "or", "!": "not", "=<": "<=", "=>": ">="}


class ConditionError(ValueError):
    """A condition can't be read; ``offset`` is the character of its text that is wrong."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is compared with, and where in the text it starts."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``name operator value``; the operator ``in`` has several values and holds for any of them."""

    name: str
    operator: str
    literals: tuple[Literal, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Negation:
    """``not part``."""

    part: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """``part and part ...``."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``part or part ...``."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = "Comparison | Negation | AllOf | AnyOf"


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises:
        ConditionError: It is none, or longer or deeper than any that people write.
    """
    if len(text) > MAX_LENGTH:
        message = f"the condition has {len(text)} characters; {MAX_LENGTH} are allowed"
        raise ConditionError(message, 0)
    parser = _Parser(tuple(_tokens(text)))
    found = parser.condition(0)
    parser.expect_end()
    return found


def holds(condition: Condition, values: Mapping[str, str]) -> bool:
    """Return whether a condition holds for the values by name; a name without value never compares.

    >>> holds(parse_condition("cuda >= 12.4 and not os == debian-*"), {"cuda": "12.10", "os": "u"})
    True
    """
    match condition:
        case Comparison(name, operator, literals, _):
            value = values.get(name, "")
            if operator == "!=":
                return not compares("==", value, literals[0].text)
            return any(compares(operator, value, literal.text) for literal in literals)
        case Negation(part):
            return not holds(part, values)
        case AllOf(parts):
            return all(holds(part, values) for part in parts)
        case AnyOf(parts):
            return any(holds(part, values) for part in parts)


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield the comparisons of a condition, in the order of its text."""
    match condition:
        case Comparison():
            yield condition
        case Negation(part):
            yield from comparisons(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from comparisons(part)


@lru_cache(maxsize=4096)
def as_version(text: str) -> Version | None:
    """Return a text as a version (PEP 440), or None if it is none."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


@lru_cache(maxsize=65536)
def compares(operator: str, value: str, literal: str) -> bool:
    """Return whether one value stands in this relation to a literal; ``in`` asks for equality.

    >>> compares("<", "3.9", "3.10"), compares("==", "12.0", "12"), compares("<", "cpu", "cu118")
    (True, True, False)
    """
    left, right = as_version(value), as_version(literal)
    if operator in {"==", "in"}:
        if left is not None and right is not None:
            return left == right
        return fnmatchcase(value, literal) if set(literal) & {"*", "?"} else value == literal
    if left is None or right is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[
        operator
    ]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            offset = position + len(text[position:]) - len(text[position:].lstrip())
            raise ConditionError(_strange(text[offset:]), offset)
        kind = str(match.lastgroup)
        found = match[kind]
        offset = match.start(kind)
        if kind == "word" and found in _KEYWORDS:
            kind = "keyword"
        yield _Token(kind, found[1:-1] if kind == "quoted" else found, offset)
        position = match.end()
    yield _Token("end", "", end)


def _strange(rest: str) -> str:
    if rest[0] in "'\"":
        return f"the text that starts with {rest[0]} does not end"
    for written, meant in sorted(_LOOKALIKES.items(), key=lambda pair: -len(pair[0])):
        if rest.startswith(written):
            return f"{show_value(written)} is not known; did you mean {show_value(meant)}?"
    return f"{show_value(rest[0])} means nothing in a condition"


class _Parser:
    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def condition(self, depth: int) -> Condition:
        """Read parts with ``or`` between them."""
        parts = [self._conjunction(depth)]
        while self._take("keyword", "or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def expect_end(self) -> None:
        """Refuse what follows a whole condition."""
        if self._token.kind != "end":
            self._refuse("'and', 'or' or the end is needed here")

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _conjunction(self, depth: int) -> Condition:
        parts = [self._negation(depth)]
        while self._take("keyword", "and"):
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _negation(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise ConditionError(message, self._token.offset)
        if self._take("keyword", "not"):
            return Negation(self._negation(depth + 1))
        opening = self._token
        if self._take("mark", "("):
            inner = self.condition(depth + 1)
            if not self._take("mark", ")"):
                if self._token.kind == "end":
                    message = "the parenthesis that opens here is not closed"
                    raise ConditionError(message, opening.offset)
                self._refuse("'and', 'or' or ')' is needed here")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._token
        if name.kind != "word" or not _NAME.fullmatch(name.text):
            self._refuse("the name of an axis is needed here")
        self._next += 1
        operator = self._token
        if operator.kind == "operator":
            self._next += 1
            return Comparison(name.text, operator.text, (self._literal(),), name.offset)
        negated = self._take("keyword", "not")
        if not self._take("keyword", "in"):
            self._refuse("==, !=, <, <=, >, >= or 'in' is needed here")
        found = Comparison(name.text, "in", self._list(), name.offset)
        return Negation(found) if negated else found

    def _list(self) -> tuple[Literal, ...]:
        if not self._take("mark", "["):
            self._refuse("a list in brackets is needed here")
        literals = [self._literal()]
        while self._take("mark", ","):
            literals.append(self._literal())
        if not self._take("mark", "]"):
            self._refuse("',' or ']' is needed here")
        return tuple(literals)

    def _literal(self) -> Literal:
        token = self._token
        if token.kind not in {"word", "quoted"}:
            self._refuse("a value is needed here")
        self._next += 1
        return Literal(token.text, token.offset)

    def _take(self, kind: str, text: str) -> bool:
        if (self._token.kind, self._token.text) != (kind, text):
            return False
        self._next += 1
        return True

    def _refuse(self, message: str) -> NoReturn:
        token = self._token
        found = "nothing follows" if token.kind == "end" else f"not {show_value(token.text)}"
        raise ConditionError(f"{message}, {found}".replace(", nothing", "; nothing"), token.offset)
