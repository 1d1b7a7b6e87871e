"""JSON Schemas of the two kinds of file, for editors; ``twinforge/schema/`` holds them, committed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from twinforge.model.matrix_file import MatrixFile
from twinforge.model.recipe_file import RecipeFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

__all__ = ["json_schema", "schema_text"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: Literal["recipe", "matrix"]) -> dict[str, Any]:
    """Return the schema (draft 2020-12) of a recipe or of the matrix."""
    models: dict[str, type[BaseModel]] = {"recipe": RecipeFile, "matrix": MatrixFile}
    schema = models[kind].model_json_schema(by_alias=True)
    if kind == "recipe":
        # what a recipe leaves out may stand in the one that it extends
        needed = [key for key in schema["required"] if key != "recipe"]
        schema["required"] = ["recipe"]
        schema["anyOf"] = [
            {"required": ["extends"]},
            *({"required": [*needed, one]} for one in ("program", "runtime")),
        ]
        schema["not"] = {"required": ["program", "runtime"]}
    _tidy(schema)
    title = {"recipe": "Twinforge recipe", "matrix": "Twinforge matrix"}[kind]
    return {"$schema": _DIALECT, **schema, "title": title}


def schema_text(kind: Literal["recipe", "matrix"]) -> str:
    """Return the schema as the committed file holds it."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: dict[str, Any]) -> None:
    """Drop what says nothing: pydantic's titles, which repeat the keys, null, and empty defaults.

    No key of a file may be null; ``None`` is only how a model says that a key is not there. Keys
    that no pattern matches are refused, which pydantic's schema leaves out.
    """
    for part in _parts(schema):
        part.pop("title", None)
        choices = [choice for choice in part.get("anyOf", ()) if choice != {"type": "null"}]
        if len(choices) == 1:
            del part["anyOf"]
            part.update(choices[0])
        if "$ref" in part or part.get("default", ...) in (None, "", {}, []):
            part.pop("default", None)
        if "patternProperties" in part:
            part["additionalProperties"] = False


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for key, value in schema.items():
        if key in {"properties", "patternProperties", "$defs"}:
            for part in value.values():
                yield from _parts(part)
        elif key in {"items", "additionalProperties", "propertyNames"} and isinstance(value, dict):
            yield from _parts(value)
        elif key in {"anyOf", "oneOf"}:
            for part in value:
                yield from _parts(part)
