from __future__ import annotations

from dataclasses import replace

import pytest

from twinforge.build.ledger import Built
from twinforge.build.plan import Plan, Status, plan_builds
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.variant import Variant
from twinforge.render.key import ContentKey

PLACE = Place("matrix.yaml", 1, 1)
CPU = Variant(
    "digits",
    "1.0.0",
    (("accelerator", "cpu"),),
    Accelerator("cpu", "", "", (), PLACE),
    Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE),
    "3.11",
)
CUDA = replace(CPU, values=(("accelerator", "cu118"),))
KEY = ContentKey("a" * 64, {"base": "1", "Dockerfile": "2", "wheels": "3"})
OLD = Built("b" * 64, {"base": "1", "Dockerfile": "x", "wheels": "y"}, "sha256:old", 1.0)
SAME = Built(KEY.hex, KEY.parts, "sha256:same", 1.0)


def plan(
    *,
    built: dict[str, Built] | None = None,
    present: dict[str, str] | None = None,
    force: bool = False,
) -> Plan:
    return plan_builds([CPU], {CPU.id: KEY}, built=built or {}, present=present or {}, force=force)


def told(plan: Plan) -> list[tuple[Status, str, str]]:
    return [(node.status, node.why, node.image_id) for node in plan.nodes]


def test_a_variant_without_an_image_is_new() -> None:
    assert told(plan()) == [(Status.NEW, "never built here", "")]


def test_an_image_of_this_key_is_up_to_date_whoever_built_it() -> None:
    present = {KEY.hex: "sha256:image"}
    assert told(plan(present=present)) == [(Status.CURRENT, "up to date", "sha256:image")]
    assert told(plan(present=present, built={CPU.id: OLD})) == [
        (Status.CURRENT, "up to date", "sha256:image")
    ]


def test_a_change_names_what_changed() -> None:
    assert told(plan(built={CPU.id: OLD}, present={OLD.key: OLD.image_id})) == [
        (Status.CHANGED, "changed: Dockerfile, wheels", "")
    ]


@pytest.mark.parametrize(
    ("parts", "is_small"),
    [
        ({"program": "9"}, True),
        ({"program": "9", "runtime": "9"}, True),
        ({"program": "9", "wheels": "9"}, False),
        ({"base": "9"}, False),
        ({}, False),
    ],
)
def test_a_change_of_the_program_alone_is_small(parts: dict[str, str], *, is_small: bool) -> None:
    before = {"base": "1", "wheels": "3", "program": "4", "runtime": "5"}
    key = ContentKey("a" * 64, {**before, **parts})
    last = Built("b" * 64, before, "sha256:old", 1.0)
    (node,) = plan_builds([CPU], {CPU.id: key}, built={CPU.id: last}, present={}).nodes
    assert node.is_small_change is is_small


def test_an_image_that_was_removed_is_built_again() -> None:
    assert told(plan(built={CPU.id: SAME})) == [
        (Status.NEW, "its image is not in this engine any more", "")
    ]


def test_force_builds_what_is_there() -> None:
    forced = plan(present={KEY.hex: "sha256:image"}, force=True)
    assert told(forced) == [(Status.CHANGED, "asked for again", "")]
    assert forced.todo == forced.nodes


def test_force_changes_no_other_reason() -> None:
    assert told(plan(force=True)) == told(plan())
    assert told(plan(built={CPU.id: OLD}, force=True)) == told(plan(built={CPU.id: OLD}))


def test_nodes_keep_the_order_asked_for_and_todo_leaves_out_what_is_current() -> None:
    other = ContentKey("c" * 64, {})
    both = plan_builds(
        [CUDA, CPU],
        {CPU.id: KEY, CUDA.id: other},
        built={},
        present={other.hex: "sha256:image"},
    )
    assert [node.variant.id for node in both.nodes] == ["digits/cu118", "digits/cpu"]
    assert [node.variant.id for node in both.todo] == ["digits/cpu"]


def test_an_empty_plan_has_nothing_to_do() -> None:
    assert plan_builds([], {}, built={}, present={}).todo == ()
