"""From a variant and its lock to the text of its files. Reads nothing, writes nothing."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from jinja2.nodes import Block, Extends
from jinja2.sandbox import ImmutableSandboxedEnvironment

from twinforge.errors import TwinforgeError
from twinforge.lock.requirements import requirements_text
from twinforge.model.matrix import Bootstrap
from twinforge.model.suggest import known_or_close
from twinforge.render import quoting
from twinforge.render.key import DEBS
from twinforge.render.layers import plan_layers, plan_stages
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.lock.locked import BaseLock, Deb, VariantLock
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant
    from twinforge.render.layers import Layer, Stage

__all__ = ["EPOCH", "BaseName", "base_name", "render_files"]

EPOCH = 946684800
"""2000-01-01T00:00:00Z, the time of everything that an image's build writes.

Fixed, so that re-locking does not change the layers of wheels that stayed.
"""

_CAPABILITIES = ("accept-bind-to-port", "multi-models")
"""What the runtime can do that SageMaker asks of an image's labels."""

_TEMPLATE_FAILURES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What rendering raises: ours for values, and all that expressions of a recipe's template can."""


BaseName = str
"""What stands after ``FROM``: a pinned reference, or the name of a build context."""


def base_name(variant: Variant, lock: BaseLock | None) -> BaseName:
    """Return what the Dockerfile names as its base.

    A bootstrapped base is in no registry: it has a name that the build replaces by a named context.
    An image is pinned by digest when the lock has one.
    """
    source = variant.base.source
    if isinstance(source, Bootstrap):
        return f"twinforge/base:{variant.base.name}"
    digest = lock.digest if lock else ""
    return f"{source}@{digest}" if digest and not source.digest else str(source)


def render_files(
    recipe: Recipe,
    variant: Variant,
    lock: VariantLock,
    base: BaseLock | None,
    *,
    template: str = "",
) -> dict[str, str]:
    """Return the generated files of a variant: path relative to its folder -> text.

    Args:
        recipe: Its recipe.
        variant: The variant.
        lock: Exactly which packages it holds.
        base: Exactly which base it stands on, or None where nothing is locked.
        template: Text of the recipe's own template, which may extend ``Dockerfile.j2``; or "".

    Raises:
        TwinforgeError: A value does not fit its place, or the recipe's template is wrong.
    """
    layers = plan_layers(lock.wheels)
    stages = plan_stages(layers)
    homes = {stage.name: _homes(recipe, stage) for stage in stages}
    has_debs = bool(lock.apt) and all(deb.path for deb in lock.apt)
    context = {
        "source": recipe.place.path,
        "variant": variant,
        "base": base_name(variant, base),
        "is_image": not isinstance(variant.base.source, Bootstrap),
        "base_has_python": _has_python(variant, base),
        "stages": stages,
        "apt": lock.apt,
        "debs": DEBS if has_debs else "",
        "steps": recipe.steps,
        "runtime": recipe.runtime,
        "indexes": {stage.name: (*recipe.indexes, *homes[stage.name]) for stage in stages},
        "scattered": [stage.name for stage in stages if homes[stage.name]],
        "env": tuple(recipe.env.items()),
        "labels": _labels(recipe, variant, lock),
        "epoch": EPOCH,
    }
    environment = _own(template) if template else _shipped()
    name = "recipe.j2" if template else "Dockerfile.j2"
    try:
        _refuse_unknown_blocks(template)
        dockerfile = environment.get_template(name).render(context)
    except _TEMPLATE_FAILURES as error:
        where = recipe.template if template else name
        line = getattr(error, "lineno", None)
        message = f"{where}{f':{line}' if line else ''} can't be rendered for {variant.id}: {error}"
        raise TwinforgeError(message) from error
    files = {"Dockerfile": dockerfile, "requirements.txt": requirements_text(lock.wheels)}
    for stage in stages:
        for layer in stage.layers:
            files[f"layers/{stage.name}/{layer.name}.txt"] = requirements_text(layer.wheels)
    if has_debs:
        files[DEBS] = "".join(f"{deb.sha256}  {deb.path}\n" for deb in lock.apt)
    files["variant.json"] = _variant_json(recipe, variant, lock.apt, layers)
    return files


def _refuse_unknown_blocks(template: str) -> None:
    """Refuse a block that replaces nothing: what stands in it would be nowhere.

    Raises:
        TemplateError: There is one, or the template can't be read.
    """
    body = _shipped().parse(template).body
    if not any(isinstance(node, Extends) for node in body):
        return
    known = _shipped().get_template("Dockerfile.j2").blocks
    for node in body:
        if isinstance(node, Block) and node.name not in known:
            message = f"there is no block {show_value(node.name)}{known_or_close(node.name, known)}"
            raise TemplateSyntaxError(message, node.lineno)


def _has_python(variant: Variant, base: BaseLock | None) -> bool:
    """Whether the wheel stages can start from the base, without waiting for apt."""
    # Not its -minimal, which lacks the modules that byte-compiling on several cores needs.
    return base is not None and f"python{variant.python}" in base.packages


def _homes(recipe: Recipe, stage: Stage) -> tuple[str, ...]:
    """Return the indexes that packages of a stage have of their own, in the recipe's order."""
    names = {wheel.name for layer in stage.layers for wheel in layer.wheels}
    return tuple(dict.fromkeys(index for name, index in recipe.homes.items() if name in names))


def _labels(recipe: Recipe, variant: Variant, lock: VariantLock) -> tuple[tuple[str, str], ...]:
    """Labels that follow from recipe and lock; the build adds the content key.

    ``io.twinforge.lock`` is the sha256 of all pins of Python and Debian packages.

    Source: https://github.com/opencontainers/image-spec/blob/main/annotations.md, and SageMaker's
    developer guide, "Inference pipelines" and "Multi-model endpoints"
    """
    runtime = {f"com.amazonaws.sagemaker.capabilities.{one}": "true" for one in _CAPABILITIES}
    pairs = {
        **(runtime if recipe.runtime and recipe.runtime.predictor else {}),
        "io.twinforge.accelerator": variant.accelerator.name,
        "io.twinforge.cuda": variant.accelerator.cuda,
        "io.twinforge.lock": _lock_digest(lock),
        "io.twinforge.recipe": recipe.name,
        "io.twinforge.variant": variant.slug,
        "org.opencontainers.image.description": recipe.description,
        "org.opencontainers.image.title": recipe.name,
        "org.opencontainers.image.version": recipe.version,
    }
    return tuple((name, value) for name, value in pairs.items() if value)


def _lock_digest(lock: VariantLock) -> str:
    pins = [*(str(package) for package in lock.apt), requirements_text(lock.wheels)]
    return hashlib.sha256("\n".join(pins).encode()).hexdigest()


def _variant_json(
    recipe: Recipe,
    variant: Variant,
    apt: Sequence[Deb],
    layers: Sequence[Layer],
) -> str:
    document: Mapping[str, object] = {
        "recipe": recipe.name,
        "version": recipe.version,
        "variant": variant.slug,
        "tag": variant.tag,
        "aliases": list(variant.aliases),
        "values": dict(variant.values),
        "base": variant.base.name,
        "cuda": variant.accelerator.cuda,
        "cudnn": variant.accelerator.cudnn,
        "apt": [str(package) for package in apt],
        "layers": [
            {
                "group": layer.group,
                "name": layer.name,
                "wheels": [f"{wheel.name}=={wheel.version}" for wheel in layer.wheels],
                "size_bytes": sum(wheel.size_bytes for wheel in layer.wheels),
            }
            for layer in layers
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@cache
def _shipped() -> ImmutableSandboxedEnvironment:
    return _environment(PackageLoader("twinforge.render"))


@cache
def _own(template: str) -> ImmutableSandboxedEnvironment:
    return _environment(
        ChoiceLoader([DictLoader({"recipe.j2": template}), PackageLoader("twinforge.render")])
    )


def _environment(loader: PackageLoader | ChoiceLoader) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=False,  # a Dockerfile is no HTML; each value passes a filter for its place
        keep_trailing_newline=True,
    )
    for function in (
        quoting.dockerfile_string,
        quoting.one_line,
        quoting.plain_name,
        quoting.plain_word,
        quoting.shell_command,
        quoting.shell_word,
        quoting.timeless,
    ):
        environment.filters[function.__name__] = function
    return environment
