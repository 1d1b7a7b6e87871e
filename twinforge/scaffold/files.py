"""The files of a new recipe, from templates. Pure but for reading those.

A template holds no code that a name could change: what is put in is a name of lower-case words, or
a text that stands here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import yaml

from twinforge.errors import UsageError
from twinforge.scaffold.accelerators import cuda_name

if TYPE_CHECKING:
    from twinforge.scaffold.accelerators import Chosen
    from twinforge.scaffold.frameworks import Framework

__all__ = ["NewFile", "Style", "check_name", "matrix_files", "recipe_files"]

Style = Literal["program", "runtime"]

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_LONGEST_NAME = 63
"""As long as the names of models and endpoints may be. Source: botocore's service model."""
_TEMPLATES = "templates"
_DATA = "data"
_EXECUTABLE = ("train", "serve")
_CODE = {
    "program": ("train", "serve", "gunicorn.conf.py", "app.py", "training.py"),
    "runtime": ("predictor.py", "trainer.py"),
}
_SHARED = ("rows.py", "settings.py")
_SERVER = "gunicorn"
_WORKERS = {"program": "WORKERS", "runtime": "TWINFORGE_WORKERS"}
"""What says how many processes serve: to the gunicorn.conf.py of the templates, and to the runtime."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is to be written; ``path`` is relative to the project."""

    path: str
    content: bytes
    is_executable: bool = False


def check_name(name: str) -> None:
    """Refuse what is no recipe's name.

    Raises:
        UsageError: It is none, or too long for SageMaker.
    """
    if not _NAME.fullmatch(name):
        message = f"'{name}' is no name of a recipe: lower-case words joined by . _ or -"
        raise UsageError(message)
    if len(name) > _LONGEST_NAME:
        message = (
            f"the name '{name}' has {len(name)} characters, at most {_LONGEST_NAME} are allowed"
        )
        raise UsageError(message)


def recipe_files(
    name: str, framework: Framework, style: Style, chosen: Chosen
) -> tuple[NewFile, ...]:
    """Return the files of a recipe: itself, its program, its smoke's data and its tests.

    Args:
        name: The recipe's.
        framework: What learns.
        style: Whether it has a program of its own, or uses the built-in runtime.
        chosen: For which accelerators it is.

    Raises:
        UsageError: The name is none.
    """
    check_name(name)
    home = f"images/{name}"
    code = f"{home}/program"
    return (
        NewFile(f"recipes/{name}.yaml", _recipe(name, framework, style, chosen).encode()),
        *(
            NewFile(f"{code}/{one}", _template(style, one, name), one in _EXECUTABLE)
            for one in _CODE[style]
        ),
        *(NewFile(f"{code}/{one}", _template("shared", one, name)) for one in _SHARED),
        NewFile(f"{code}/learning.py", _template("learning", f"{framework.name}.py", name)),
        NewFile(f"{home}/smoke/training/iris.csv", _read(_DATA, "iris.csv")),
        *(
            NewFile(f"{home}/smoke/{one}", _read(_DATA, one))
            for one in ("flowers.csv", "labels.json", "one.json")
        ),
        NewFile(f"{home}/tests/test_rows.py", _template("shared", "test_rows.py", name)),
    )


def matrix_files(framework: Framework) -> tuple[NewFile, ...]:
    """Return the files of a project that has none yet."""
    tag = cuda_name(framework)
    accelerators = ["  cpu: {}"]
    if framework.cuda:
        accelerators.append(f'  {tag}: {{cuda: "{framework.cuda}"}} # comes as wheels')
    aliases = ["  latest-cpu: {accelerator: cpu}"]
    if framework.cuda:
        aliases.append(f"  latest-cuda: {{accelerator: {tag}}}")
    text = _text(_TEMPLATES, "matrix.yaml.tmpl")
    text = text.replace("<<accelerators>>", "\n".join(accelerators))
    text = text.replace("<<values>>", f"cpu, {tag}" if framework.cuda else "cpu")
    text = text.replace("<<aliases>>", "\n".join(aliases))
    return (
        NewFile("matrix.yaml", text.encode()),
        NewFile(".gitignore", b"/.twinforge/\n__pycache__/\n"),
    )


def _recipe(name: str, framework: Framework, style: Style, chosen: Chosen) -> str:
    code = f"images/{name}/program"
    packages = [
        *framework.packages,
        *(line for kind in chosen.kinds for line in framework.builds.get(kind, ())),
        *([_SERVER] if style == "program" else []),
    ]
    lines = [
        f"recipe: {_scalar(name)}",
        "version: 0.1.0",
        f"description: Kinds of iris flowers, by {framework.what}.",
    ]
    if not chosen.is_axis:
        lines.append(_axes(framework, chosen))
    if packages:
        lines += ["python:", "  packages:", *(_item(package) for package in packages)]
    if framework.system:
        lines.append(f"system: {{packages: [{', '.join(framework.system)}]}}")
    if style == "program":
        lines.append(f"program: {code} # any executables named train and serve")
    else:
        lines += [
            "runtime:",
            f"  predictor: {code}/predictor.py",
            f"  trainer: {code}/trainer.py",
        ]
    env = [*framework.env, *([(_WORKERS[style], "1")] if framework.is_one_process else [])]
    if env:
        pairs = ", ".join(f'{key}: "{value}"' for key, value in env)
        lines.append(f"env: {{{pairs}}}")
    smoke = _text(_TEMPLATES, "smoke.yaml.tmpl").replace("<<name>>", name)
    lines.append(smoke.replace("<<startup>>", str(framework.startup_s)).rstrip())
    more = framework.more if len(chosen.kinds) > 1 else ()
    return "\n".join([*lines, *more]) + "\n"


def _axes(framework: Framework, chosen: Chosen) -> str:
    line = f"axes: {{accelerator: [{', '.join(map(_scalar, (*chosen.cpu, *chosen.cuda)))}]}}"
    if chosen.lacks:
        return f"{line} # GPUs want an accelerator of CUDA {chosen.lacks} in the matrix, and its name here"
    return line if framework.cuda else f"{line} # nothing in it knows a GPU"


def _item(package: str) -> str:
    """Return a line of a list; a comment is none of its items, and what is indented goes on."""
    if package.startswith((" ", "#")):
        return f"    {package}"
    return f"    - {package}"


def _scalar(name: str) -> str:
    """Return a name as YAML, which takes some for numbers or for yes and no.

    >>> _scalar("digits"), _scalar("1.0"), _scalar("on")
    ('digits', '"1.0"', '"on"')
    """
    return name if yaml.safe_load(name) == name else f'"{name}"'


def _template(folder: str, file: str, name: str) -> bytes:
    return _text(_TEMPLATES, folder, f"{file}.tmpl").replace("<<name>>", name).encode()


def _text(*parts: str) -> str:
    return _read(*parts).decode()


def _read(*parts: str) -> bytes:
    return files("twinforge.scaffold").joinpath(*parts).read_bytes()
