from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from twinforge.lock.locked import Wheel
from twinforge.render.layers import BUDGET, Layer, plan_layers, plan_stages

if TYPE_CHECKING:
    from collections.abc import Callable

MEGABYTE = 10**6
NAMES = st.from_regex(r"[a-z0-9]{1,3}(-[a-z0-9]{1,2})?", fullmatch=True)
WHEELS = st.lists(
    st.builds(
        Wheel,
        st.one_of(NAMES, st.just("small")),
        st.just("1.0"),
        st.just("x.whl"),
        st.just("0" * 64),
        st.integers(0, 3 * MEGABYTE),
        st.sampled_from(["common", "device"]),
    ),
    unique_by=lambda wheel: wheel.name,
    max_size=30,
)


def shown(layers: tuple[Layer, ...]) -> list[str]:
    return [f"{x.group}/{x.name}: {' '.join(w.name for w in x.wheels)}" for x in layers]


def test_small_wheels_share_a_layer_and_a_big_one_has_its_own(
    make_wheel: Callable[..., Wheel],
) -> None:
    layers = plan_layers(
        [
            make_wheel("scipy", 35 * MEGABYTE),
            make_wheel("joblib", 300_000),
            make_wheel("numpy", 16 * MEGABYTE),
            make_wheel("gunicorn", 80_000),
        ]
    )
    assert shown(layers) == [
        "common/small: gunicorn joblib",
        "common/numpy: numpy",
        "common/scipy: scipy",
    ]


def test_common_layers_come_before_those_of_the_device(make_wheel: Callable[..., Wheel]) -> None:
    layers = plan_layers(
        [
            make_wheel("a", 2 * MEGABYTE, group="device"),
            make_wheel("b", group="device"),
            make_wheel("z", 2 * MEGABYTE),
        ]
    )
    assert shown(layers) == ["common/z: z", "device/small: b", "device/a: a"]


def test_a_megabyte_is_big(make_wheel: Callable[..., Wheel]) -> None:
    layers = plan_layers([make_wheel("a", MEGABYTE), make_wheel("b", MEGABYTE - 1)])
    assert shown(layers) == ["common/small: b", "common/a: a"]


def test_a_wheel_of_unknown_size_is_small(make_wheel: Callable[..., Wheel]) -> None:
    assert shown(plan_layers([make_wheel("a", 0)])) == ["common/small: a"]


def test_over_the_budget_the_biggest_keep_their_own_layers(
    make_wheel: Callable[..., Wheel],
) -> None:
    wheels = [make_wheel(f"w{n}", n * MEGABYTE) for n in range(1, 7)]
    assert shown(plan_layers(wheels, budget=4)) == [
        "common/small: w1 w2 w3",
        "common/w4: w4",
        "common/w5: w5",
        "common/w6: w6",
    ]


def test_of_two_equally_big_ones_the_name_decides(make_wheel: Callable[..., Wheel]) -> None:
    wheels = [make_wheel(name, MEGABYTE) for name in "cba"]
    assert shown(plan_layers(wheels, budget=2)) == ["common/small: b c", "common/a: a"]


def test_no_wheels_need_no_layer() -> None:
    assert plan_layers([]) == ()


def test_a_big_wheel_called_small_does_not_take_the_name_of_the_shared_layer(
    make_wheel: Callable[..., Wheel],
) -> None:
    layers = plan_layers([make_wheel("small", MEGABYTE), make_wheel("tiny")])
    assert shown(layers) == ["common/small: tiny", "common/small_: small"]


@given(WHEELS, st.integers(2, 8))
def test_every_wheel_is_in_one_layer_of_its_group_and_the_budget_holds(
    wheels: list[Wheel], budget: int
) -> None:
    layers = plan_layers(wheels, budget=budget)
    assert len(layers) <= budget
    assert sorted(wheel.name for layer in layers for wheel in layer.wheels) == sorted(
        wheel.name for wheel in wheels
    )
    assert all(layer.wheels for layer in layers)
    assert all(wheel.group == layer.group for layer in layers for wheel in layer.wheels)
    names = [(layer.group, layer.name) for layer in layers]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_-]+", layer.name) for layer in layers)


@given(WHEELS, st.randoms())
def test_the_order_of_the_wheels_decides_nothing(wheels: list[Wheel], random: object) -> None:
    shuffled = list(wheels)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' Random is one in name only
    assert plan_layers(wheels) == plan_layers(shuffled)


def test_the_budget_leaves_room_for_the_base_under_the_limit_of_overlayfs() -> None:
    assert BUDGET < 127 // 2


def test_a_stage_makes_the_layers_of_a_group_and_a_huge_wheel_has_its_own(
    make_wheel: Callable[..., Wheel],
) -> None:
    layers = plan_layers(
        [
            make_wheel("joblib", 300_000),
            make_wheel("pandas", 12 * MEGABYTE),
            make_wheel("huge", 15 * MEGABYTE),
            make_wheel("nccl", 351 * MEGABYTE, group="device"),
            make_wheel("xgboost", 15 * MEGABYTE - 1, group="device"),
        ]
    )
    made = {stage.name: shown(stage.layers) for stage in plan_stages(layers)}
    assert made == {
        "common": ["common/small: joblib", "common/pandas: pandas"],
        "common-huge": ["common/huge: huge"],
        "device-nccl": ["device/nccl: nccl"],
        "device": ["device/xgboost: xgboost"],
    }


@given(WHEELS)
def test_every_layer_is_made_by_one_stage(wheels: list[Wheel]) -> None:
    layers = plan_layers(wheels)
    stages = plan_stages(layers, huge_bytes=2 * MEGABYTE)
    made = [layer for stage in stages for layer in stage.layers]
    assert sorted(made, key=layers.index) == list(layers)
    assert len({stage.name for stage in stages}) == len(stages)
