from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from twinforge.sagemaker.garbage import Garbage, Made, Survey, plan_garbage

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def made(name: str, owner: str, *models: str, age: timedelta = 24 * HOUR) -> Made:
    return Made(name, owner, NOW - age, models)


def plan(survey: Survey, *, keep: int = 0, endpoint: str = "") -> Garbage:
    return plan_garbage(survey, now=NOW, min_age=HOUR, keep=keep, endpoint=endpoint)


def test_what_an_endpoint_uses_stays_with_its_models_and_the_rest_goes() -> None:
    survey = Survey(
        configs=(made("run", "e", "m1"), made("old", "e", "m0", "m1"), made("theirs", "", "m9")),
        models=(made("m0", "r"), made("m1", "r"), made("loose", "r"), made("foreign", "")),
        used=frozenset({"run"}),
        endpoints=frozenset({"e"}),
    )
    assert plan(survey) == Garbage(("old",), ("loose", "m0"))


def test_a_model_of_ours_that_a_config_of_others_names_stays() -> None:
    survey = Survey((made("theirs", "", "m"),), (made("m", "r"),), frozenset(), frozenset())
    assert plan(survey) == Garbage((), ())


def test_what_is_young_stays_and_keeps_its_models() -> None:
    survey = Survey(
        (made("new", "e", "m", age=HOUR / 2),),
        (made("m", "r"), made("fresh", "r", age=HOUR / 2)),
        frozenset(),
        frozenset(),
    )
    assert plan(survey) == Garbage((), ())


def test_the_newest_unused_configs_are_kept_for_endpoints_that_are_there() -> None:
    configs = [made(f"c{n}", owner, age=n * 24 * HOUR) for owner in "e" for n in (1, 2, 3)]
    gone = [made(f"g{n}", "gone", age=n * 24 * HOUR) for n in (1, 2)]
    survey = Survey((*configs, *gone), (), frozenset(), frozenset({"e"}))
    assert plan(survey, keep=2).configs == ("c3", "g1", "g2")


def test_for_one_endpoint_only_its_configs_and_what_they_alone_used_go() -> None:
    survey = Survey(
        (made("a", "e", "m1"), made("b", "other", "m2")),
        (made("m1", "r"), made("m2", "r"), made("loose", "r")),
        frozenset(),
        frozenset(),
    )
    assert plan(survey, endpoint="e") == Garbage(("a",), ("m1",))


NAMES = st.sampled_from(["a", "b", "c", "d"])
AGES = st.integers(0, 5).map(lambda hours: hours * HOUR)
CONFIGS = st.builds(
    lambda name, owner, models, age: made(name, owner, *models, age=age),
    NAMES,
    st.sampled_from(["", "e", "f"]),
    st.lists(st.sampled_from(["m1", "m2", "m3"]), unique=True),
    AGES,
)
MODELS = st.builds(
    lambda name, owner, age: made(name, owner, age=age),
    st.sampled_from(["m1", "m2", "m3"]),
    st.sampled_from(["", "r"]),
    AGES,
)


def name_of(one: Made) -> str:
    return one.name


@given(
    st.lists(CONFIGS, unique_by=name_of),
    st.lists(MODELS, unique_by=name_of),
    st.frozensets(NAMES),
    st.integers(0, 3),
    st.sampled_from(["", "e"]),
)
def test_nothing_that_is_used_foreign_or_young_ever_goes(
    configs: list[Made], models: list[Made], used: frozenset[str], keep: int, endpoint: str
) -> None:
    survey = Survey(tuple(configs), tuple(models), used, frozenset({"e"}))
    garbage = plan(survey, keep=keep, endpoint=endpoint)
    by_name = {one.name: one for one in (*configs, *models)}
    for name in (*garbage.configs, *garbage.models):
        assert by_name[name].owner
        assert by_name[name].created < NOW - HOUR
    assert not used & set(garbage.configs)
    staying = [one for one in configs if one.name not in garbage.configs]
    assert not {model for one in staying for model in one.models} & set(garbage.models)
