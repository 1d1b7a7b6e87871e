"""What was released: ``releases/<recipe>.json``, written by a push and read by whoever runs images.

The file holds, for every variant, the last content that was pushed under its version, and where. A
push adds what it did and loses nothing that others did: variants that it did not push stay, and so
do the registries that it did not push to, as long as they hold the same image.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from twinforge.errors import Problem, ProjectError
from twinforge.wholefile import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "Release",
    "ReleasedVariant",
    "merge_releases",
    "read_release",
    "release_path",
    "write_release",
]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ReleasedVariant:
    """One variant that is in a registry.

    Attributes:
        slug: The variant's values, as in its folder's name.
        version: The recipe's version that was pushed.
        accelerator: The name of the accelerator in the matrix.
        cuda: Its CUDA version, empty for a CPU.
        key: The content key, 64 hexadecimal digits.
        image_id: The digest of the image's configuration, as the engine shows it.
        tags: The immutable tags: version tag and content tag.
        aliases: The tags that may move.
        digests: Digest of the manifest by ``host/repository``.
        cpu_arch: ``amd64`` or ``arm64``.
    """

    slug: str
    version: str
    accelerator: str
    cuda: str
    key: str
    image_id: str
    tags: tuple[str, ...]
    aliases: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cpu_arch: str = "amd64"


@dataclass(frozen=True, slots=True)
class Release:
    """All released variants of a recipe, sorted by slug."""

    recipe: str
    variants: tuple[ReleasedVariant, ...]


class _VariantFile(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    version: str
    accelerator: str
    cuda: str
    key: str
    image_id: str
    tags: list[str]
    aliases: list[str]
    digests: dict[str, str]
    cpu_arch: Literal["amd64", "arm64"] = "amd64"


class _ReleaseFile(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    release: Literal[1]
    recipe: str
    variants: dict[str, _VariantFile]


def release_path(recipe: str) -> str:
    """Return the path of a recipe's release file, relative to the project.

    >>> release_path("digits")
    'releases/digits.json'
    """
    return f"releases/{recipe}.json"


def read_release(root: Path, recipe: str) -> Release | None:
    """Read what was released of a recipe, or return None when nothing was.

    Raises:
        ProjectError: The file is not a release file; every problem of it is named.
    """
    path = release_path(recipe)
    try:
        text = (root / path).read_bytes()
    except FileNotFoundError:
        return None
    try:
        file = _ReleaseFile.model_validate_json(text)
    except ValidationError as error:
        problems = [
            Problem(path, 0, 0, ".".join(str(part) for part in found["loc"]), found["msg"].lower())
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        hint = "the file is generated: restore it from git, or delete it and push again"
        raise ProjectError(problems, hint=hint) from error
    if file.recipe != recipe:
        message = f"'{file.recipe}' is not the recipe that the file is named after"
        raise ProjectError([Problem(path, 0, 0, "recipe", message)])
    return Release(
        file.recipe,
        tuple(
            ReleasedVariant(
                slug=slug,
                version=found.version,
                accelerator=found.accelerator,
                cuda=found.cuda,
                key=found.key,
                image_id=found.image_id,
                tags=tuple(found.tags),
                aliases=tuple(found.aliases),
                digests=MappingProxyType(dict(sorted(found.digests.items()))),
                cpu_arch=found.cpu_arch,
            )
            for slug, found in sorted(file.variants.items())
        ),
    )


def merge_releases(old: Release | None, new: Release) -> Release:
    """Return the old release with the new one on top.

    A registry that the new release does not speak of keeps its digest only while it holds the same
    image: a digest of other content under a new version would let two regions run different images
    by one name. An alias belongs to the variant that took it last.
    """
    merged = {variant.slug: variant for variant in old.variants} if old else {}
    taken = {alias for variant in new.variants for alias in variant.aliases}
    for slug, variant in merged.items():
        kept = tuple(alias for alias in variant.aliases if alias not in taken)
        merged[slug] = replace(variant, aliases=kept)
    for variant in new.variants:
        before = merged.get(variant.slug)
        digests = dict(variant.digests)
        if before is not None and (before.image_id, before.version) == (
            variant.image_id,
            variant.version,
        ):
            digests = {**before.digests, **digests}
        ordered = MappingProxyType(dict(sorted(digests.items())))
        merged[variant.slug] = replace(variant, digests=ordered)
    return Release(new.recipe, tuple(merged[slug] for slug in sorted(merged)))


def write_release(root: Path, release: Release) -> None:
    """Merge a release into its file, atomically; other processes doing the same wait.

    Raises:
        ProjectError: The file that is there is not a release file; it is left as it is.
    """
    path = root / release_path(release.recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        merged = merge_releases(read_release(root, release.recipe), release)
        write_text(path, _dump(merged))


def _dump(release: Release) -> str:
    document = {
        "release": FORMAT,
        "recipe": release.recipe,
        "variants": {
            variant.slug: {
                "version": variant.version,
                "accelerator": variant.accelerator,
                "cuda": variant.cuda,
                "key": variant.key,
                "image_id": variant.image_id,
                "tags": list(variant.tags),
                "aliases": list(variant.aliases),
                "digests": dict(sorted(variant.digests.items())),
                **({"cpu_arch": variant.cpu_arch} if variant.cpu_arch != "amd64" else {}),
            }
            for variant in sorted(release.variants, key=lambda variant: variant.slug)
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # The lock is on the folder itself, so that no lock file appears in the user's repository.
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
