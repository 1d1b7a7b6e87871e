from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.model.matrix import Matrix, Registry
from twinforge.model.place import Place
from twinforge.model.reference import TAG
from twinforge.render.tags import content_tag, local_repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.model.recipe import Recipe


def matrix(repository: str) -> Matrix:
    place = Place("matrix.yaml", 1, 1)
    registry = Registry("ecr", "", "", ("eu-west-1",), repository, True, place)  # noqa: FBT003 - a registry's flag
    return Matrix((), (), (), (), {}, (), (registry,))


def test_a_content_tag_is_the_first_sixteen_digits_of_the_key() -> None:
    assert content_tag("0123456789abcdef" * 4) == "key-0123456789abcdef"
    assert TAG.fullmatch(content_tag("f" * 64))


def test_an_image_has_the_repository_of_the_registry(make_recipe: Callable[..., Recipe]) -> None:
    assert local_repository(make_recipe(name="words"), matrix("ml/{recipe}")) == "ml/words"
    assert local_repository(make_recipe(name="words"), matrix("ml/all")) == "ml/all"


def test_without_a_registry_the_repository_is_our_own(make_recipe: Callable[..., Recipe]) -> None:
    plain = Matrix((), (), (), (), {}, (), ())
    assert local_repository(make_recipe(name="words"), plain) == "twinforge/words"
