"""One file, read into its model as far as it is right, with a problem for all that is not."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from twinforge.model.place import Place
from twinforge.model.suggest import closest, known_or_close
from twinforge.yamlfile import Unclear, show_bare, show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from twinforge.errors import Problem
    from twinforge.yamlfile import Document, Node, Where

__all__ = ["Source", "read_source"]

M = TypeVar("M", bound=BaseModel)

_TAGS = frozenset({"<twin>", "<requirement>", "<conditional>", "<one>", "<named>"})
_NEEDED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Source(Generic[M]):
    """A file and its model.

    ``broken`` names the top-level keys that hold a problem; those have their default in ``file``
    or, where they are required, no value at all, so ask ``sound`` before reading them.
    """

    document: Document
    file: M
    broken: frozenset[str]

    def sound(self, *keys: str) -> bool:
        """Return whether none of these top-level keys holds a problem."""
        return self.broken.isdisjoint(keys)

    def place(self, *where: str | int, key: bool = False) -> Place:
        """Return where a value stands, or its key."""
        return Place(self.document.path, *self.document.position(where, key=key))

    def problem(self, message: str, *where: str | int, key: bool = False) -> Problem:
        """Return a problem with a value, or with its key."""
        return self.document.problem(where, message, key=key)


def read_source(
    document: Document, model: type[M], *, as_written: Sequence[Where] = ()
) -> tuple[Source[M], list[Problem]]:
    """Validate a document.

    Args:
        document: The file.
        model: What it has to follow.
        as_written: Mappings whose scalars are text whatever they look like (see ``Document.value``).

    Returns:
        The file as far as it is right, and what is wrong with it.
    """
    value = document.value(as_written)
    problems = list(document.problems)
    try:
        return Source(document, model.model_validate(value), frozenset()), problems
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems += _problems(details, document, model)
    broken = frozenset(str(detail["loc"][0]) for detail in details if detail["loc"])
    return Source(document, _sound_part(model, value, broken), broken), problems


def _sound_part(model: type[M], value: dict[str, object], broken: frozenset[str]) -> M:
    parts = {
        name: TypeAdapter(field.rebuild_annotation()).validate_python(value[name], strict=True)
        for name, field in model.model_fields.items()
        if name in value and name not in broken
    }
    return model.model_construct(**parts)


def _problems(
    details: Sequence[ErrorDetails], document: Document, model: type[BaseModel]
) -> Iterator[Problem]:
    meant: set[Where] = set()
    missing: list[Where] = []
    for detail in details:
        where, is_key = _where(detail["loc"])
        if detail["type"] == "missing":
            missing.append(where)
        elif detail["type"] == "extra_forbidden":
            known = _keys(model, where[:-1])
            word = str(where[-1])
            meant.add((*where[:-1], closest(word, known)))
            message = f"unknown key {show_value(word)}{known_or_close(word, known)}"
            yield document.problem(where, message, key=True)
        else:
            message = _message(detail, document.node(where))
            yield document.problem(where, message, key=is_key)
    for where in missing:
        # a misspelt key is not missing as well
        if where not in meant:
            message = f"the key {show_value(where[-1])} is missing"
            yield document.problem(where[:-1], message)


def _where(loc: Sequence[str | int]) -> tuple[Where, bool]:
    """Return the path in the document: pydantic adds a union's tags and ``[key]`` for a key."""
    is_key = len(loc) > 1 and loc[-1] == "[key]"
    steps = loc[:-1] if is_key else loc
    return tuple(step for step in steps if step not in _TAGS), is_key


def _message(detail: ErrorDetails, node: Node | None) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _NEEDED:
        return _type_message(kind, detail["input"], node)
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = _choices(str(context["expected"]))
        given = detail["input"]
        if not isinstance(given, str):
            return _type_message("string_type", given, node)
        return f"{show_value(given)} is not allowed{known_or_close(given, choices)}"
    if kind in {"greater_than_equal", "less_than_equal"}:
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"{detail['input']} is not allowed; {bound} is"
    message = detail["msg"]
    return f"{message[:1].lower()}{message[1:]}"


def _choices(expected: str) -> list[str]:
    """Return the words of pydantic's list: ``'ecr' or 'oci'``."""
    return [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(", ")]


def _type_message(kind: str, given: object, node: Node | None) -> str:
    needed = _NEEDED[kind]
    text = node.text if node else str(given)
    if given is None:
        return f"nothing stands here; {needed} is needed"
    if isinstance(given, dict | list | tuple):
        return f"{needed} is needed, not {'a mapping' if isinstance(given, dict) else 'a list'}"
    if kind == "string_type":
        what = given.reads_as if isinstance(given, Unclear) else "a number"
        if isinstance(given, bool):
            what = "a boolean"
        reader = "to some readers of YAML" if isinstance(given, Unclear) else "here"
        return f'{show_bare(text)} is {what} {reader}; quote it: "{show_bare(text)}"'
    if isinstance(given, Unclear):
        return (
            f"{needed} is needed, and {show_bare(text)} is {given.reads_as} to some readers of YAML"
        )
    return f"{needed} is needed, not {show_value(text)}"


def _keys(annotation: object, where: Where) -> list[str]:
    """Return the keys that a model, or a model inside of it, allows at a path."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        if not where:
            return list(fields)
        field = fields.get(str(where[0]))
        return _keys(field.annotation, where[1:]) if field else []
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _keys(arguments[0], where)
    if origin in {Union, types.UnionType}:
        return [key for argument in arguments for key in _keys(argument, where)]
    if origin in {dict, list, tuple} and where:
        inner: Any = arguments[1] if origin is dict else arguments[0]
        return _keys(inner, where[1:])
    return []
