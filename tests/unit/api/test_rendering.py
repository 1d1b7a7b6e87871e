from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.api.rendering import check_rendered, render_variants, write_rendered
from twinforge.errors import StaleError

if TYPE_CHECKING:
    from tests.unit.world import World
    from twinforge.api.rendering import Rendered

FOLDER = "images/words/variants/cpu-debian12-py3.11"


def rendered(world: World, *selectors: str) -> tuple[Rendered, ...]:
    return render_variants(world.workspace, world.variants(*selectors))


def test_files_that_follow_from_their_sources_are_left_alone(world: World) -> None:
    check_rendered(world.root, rendered(world))
    before = (world.root / FOLDER / "Dockerfile").stat().st_mtime_ns
    assert write_rendered(world.root, rendered(world)) == ()
    assert (world.root / FOLDER / "Dockerfile").stat().st_mtime_ns == before


def test_what_was_edited_by_hand_is_shown_and_written_back(world: World) -> None:
    dockerfile = world.root / FOLDER / "Dockerfile"
    text = dockerfile.read_text("utf-8")
    dockerfile.write_text(f"{text}RUN by-hand\n", "utf-8")
    with pytest.raises(StaleError, match=r"^the generated files are stale:\n---") as caught:
        check_rendered(world.root, rendered(world))
    assert f"--- committed/{FOLDER}/Dockerfile\n" in caught.value.message
    assert "\n-RUN by-hand" in caught.value.message
    assert write_rendered(world.root, rendered(world)) == (f"{FOLDER}/Dockerfile",)
    assert dockerfile.read_text("utf-8") == text


def test_what_is_no_text_is_stale_and_written_again(world: World) -> None:
    dockerfile = world.root / FOLDER / "Dockerfile"
    before = dockerfile.read_bytes()
    dockerfile.write_bytes(b"\xff")
    with pytest.raises(StaleError, match=r"^the generated files are stale:\n---"):
        check_rendered(world.root, rendered(world))
    assert write_rendered(world.root, rendered(world)) == (f"{FOLDER}/Dockerfile",)
    assert dockerfile.read_bytes() == before


def test_of_a_link_that_nothing_asks_for_only_the_link_goes(world: World) -> None:
    other = world.root / "other"
    other.mkdir()
    gone = "images/words/variants/cu118-debian12-py3.11"
    (world.root / gone).symlink_to(other)
    assert write_rendered(world.root, rendered(world)) == (gone,)
    assert other.is_dir()
    assert not (world.root / gone).is_symlink()


def test_files_that_nothing_asks_for_are_orphans_and_go(world: World) -> None:
    gone = "images/words/variants/cu118-debian12-py3.11"
    (world.root / gone).mkdir()
    (world.root / gone / "Dockerfile").write_text("FROM scratch\n")
    extra = f"{FOLDER}/layers/common/gone.txt"
    (world.root / extra).write_text("")
    with pytest.raises(StaleError) as caught:
        check_rendered(world.root, rendered(world))
    assert f"orphan: {extra}\norphan: {gone}" in caught.value.message
    assert set(write_rendered(world.root, rendered(world))) == {extra, gone}
    assert not (world.root / gone).exists()
    check_rendered(world.root, rendered(world))


def test_a_part_of_the_variants_can_be_checked_without_calling_the_rest_orphans(
    world: World,
) -> None:
    check_rendered(world.root, rendered(world, "accelerator=cpu"), orphans=False)


def test_a_recipe_without_a_lock_is_not_rendered(world: World) -> None:
    (world.root / "images/words/lock.json").unlink()
    world.again()
    with pytest.raises(StaleError, match=r"^the recipe 'words' is not locked$") as caught:
        rendered(world)
    assert caught.value.hint == "run `twinforge lock words`"


def test_a_variant_that_the_lock_lacks_is_named(world: World) -> None:
    world.edit("matrix.yaml", "[cpu, cu129]", "[cpu, cu128]")
    world.edit("matrix.yaml", 'cu129: {cuda: "12.9"}', 'cu128: {cuda: "12.8"}')
    world.edit("matrix.yaml", "accelerator: cu129", "accelerator: cu128")
    with pytest.raises(StaleError, match=r"'words/cu128-debian12-py3\.11' is not in its recipe's"):
        rendered(world)
