from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from twinforge.errors import LockError
from twinforge.lock.apt import apt_packages
from twinforge.lock.checksum import inputs_checksum
from twinforge.lock.parity import parity_problems
from twinforge.lock.resolve import (
    Conflict,
    Resolved,
    Target,
    Upgrade,
    lock_recipe,
)
from twinforge.model.place import Place
from twinforge.model.recipe import AptPackage, Exclusion, SystemPackages, Twin
from twinforge.model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twinforge.lock.document import RecipeLock
    from twinforge.model.recipe import Override, Recipe
    from twinforge.model.variant import Variant

    Overrides = Callable[..., Override]
    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]

Index = dict[str, dict[str, list[str]]]
TWIN = {"cpu": "boost-cpu", "cuda": "boost"}
PAIR = {"cpu": "", "cu129": "12.9"}
BOOST: Index = {
    "numpy": {"1.0": [], "1.1": [], "2.0": []},
    "nccl": {"2.3": []},
    "boost-cpu": {"3.0": ["numpy"], "3.1": ["numpy"], "3.3": ["numpy"]},
    "boost": {
        "3.0": ["numpy", "nccl"],
        "3.1": ["numpy<2", "nccl"],
        "3.2": ["numpy", "nccl"],
        "3.4": ["numpy", "nccl"],
    },
}


@dataclass
class World:
    """An index in memory, and a resolver that searches it from the newest version down."""

    packages: Mapping[str, Mapping[str, Sequence[str]]]
    asked: list[tuple[tuple[str, ...], tuple[str, ...], Target]] = field(default_factory=list)
    left_out: list[tuple[str, ...]] = field(default_factory=list)

    def compile(  # noqa: PLR0913 - as the protocol has it
        self,
        requirements: Sequence[str],
        constraints: Sequence[str],
        target: Target,
        *,
        preferences: Mapping[str, str],
        indexes: Sequence[str],
        without: Sequence[str] = (),
    ) -> tuple[Resolved, ...] | Conflict:
        del indexes
        self.left_out.append(tuple(without))
        self.asked.append((tuple(requirements), tuple(constraints), target))
        limits = [Requirement(text) for text in constraints]
        chosen = self._search([Requirement(text) for text in requirements], limits, preferences, {})
        if chosen is None:
            return Conflict(f"no versions satisfy {' and '.join(requirements)}")
        return tuple(wheel(name, version, target) for name, version in sorted(chosen.items()))

    def _search(
        self,
        todo: Sequence[Requirement],
        limits: Sequence[Requirement],
        preferences: Mapping[str, str],
        chosen: Mapping[str, str],
    ) -> Mapping[str, str] | None:
        if not todo:
            return chosen
        first, *rest = todo
        name = canonicalize_name(first.name)
        if name in chosen:
            if chosen[name] not in first.specifier:
                return None
            return self._search(rest, limits, preferences, chosen)
        versions = sorted(self.packages.get(name, {}), key=Version, reverse=True)
        versions.sort(key=lambda version: version != preferences.get(name))
        wanted = [first, *(limit for limit in limits if canonicalize_name(limit.name) == name)]
        for version in versions:
            if all(version in one.specifier for one in wanted):
                needs = [Requirement(text) for text in self.packages[name][version]]
                found = self._search(
                    [*rest, *needs], limits, preferences, {**chosen, name: version}
                )
                if found is not None:
                    return found
        return None


def wheel(name: str, version: str, target: Target) -> Resolved:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-manylinux_{target.glibc}.whl"
    return Resolved(name, version, filename, hashlib.sha256(filename.encode()).hexdigest(), 10)


@dataclass
class Apt:
    """Adds one dependency to what it is asked for, and remembers what that was."""

    asked: list[tuple[str, ...]] = field(default_factory=list)

    def closure(self, variant: Variant, packages: Sequence[AptPackage]) -> tuple[AptPackage, ...]:
        del variant
        self.asked.append(tuple(str(package) for package in packages))
        return (*packages, AptPackage("libc6", "2.36"))


def locked(
    world: World,
    recipe: Recipe,
    variants: Sequence[Variant],
    previous: RecipeLock | None = None,
    upgrade: Upgrade | None = None,
) -> RecipeLock:
    return lock_recipe(
        recipe,
        variants,
        resolver=world,
        apt=Apt(),
        previous=previous,
        upgrade=upgrade or Upgrade(),
        glibc=lambda _: "2.36",
    )


def versions(lock: RecipeLock, slug: str) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in lock.variant(slug).wheels}


def groups(lock: RecipeLock, slug: str) -> dict[str, str]:
    return {wheel.name: wheel.group for wheel in lock.variant(slug).wheels}


def test_twins_get_the_newest_version_that_all_of_them_have(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    lock = locked(World(BOOST), make_recipe("numpy", TWIN), make_variants(PAIR))
    assert versions(lock, "cpu-py3.11") == {"boost-cpu": "3.1", "numpy": "1.1"}
    assert versions(lock, "cu129-py3.11") == {"boost": "3.1", "nccl": "2.3", "numpy": "1.1"}


def test_equal_wheels_are_common_and_the_rest_belong_to_the_device(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    lock = locked(World(BOOST), make_recipe("numpy", TWIN), make_variants(PAIR))
    assert groups(lock, "cpu-py3.11") == {"boost-cpu": "device", "numpy": "common"}
    assert groups(lock, "cu129-py3.11") == {"boost": "device", "nccl": "device", "numpy": "common"}


def test_a_third_sibling_does_not_loosen_the_match(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    three = make_variants({**PAIR, "cu118": "11.8"})
    recipe = make_recipe(TWIN)
    lock = locked(World(BOOST), recipe, three)
    twins = [one for one in recipe.packages if isinstance(one, Twin)]
    assert parity_problems(lock.variants, twins, []) == ()
    assert [one.slug for one in lock.variants] == ["cpu-py3.11", "cu129-py3.11", "cu118-py3.11"]


def test_each_python_is_resolved_for_itself_and_keeps_declared_order(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world = World(BOOST)
    variants = make_variants(PAIR, pythons=("3.12", "3.11"))
    lock = locked(world, make_recipe("numpy"), variants)
    assert [one.slug for one in lock.variants] == [one.slug for one in variants]
    assert {target for _, _, target in world.asked} == {
        Target("3.11", "2.36"),
        Target("3.12", "2.36"),
    }


def test_siblings_on_different_bases_share_the_oldest_glibc(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world = World(BOOST)
    lock_recipe(
        make_recipe(TWIN),
        make_variants(PAIR),
        resolver=world,
        apt=Apt(),
        previous=None,
        upgrade=Upgrade(),
        glibc=lambda one: "2.9" if one.accelerator.cuda else "2.36",
    )
    assert {target.glibc for _, _, target in world.asked} == {"2.9"}


def test_previous_versions_stay_until_they_are_upgraded(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy", TWIN), make_variants(PAIR)
    before = {name: dict(found) for name, found in BOOST.items()}
    del before["boost-cpu"]["3.1"], before["numpy"]["1.1"], before["numpy"]["2.0"]
    old = locked(World(before), recipe, variants)
    assert versions(old, "cpu-py3.11") == {"boost-cpu": "3.0", "numpy": "1.0"}
    assert locked(World(BOOST), recipe, variants, old) == old
    numpy = locked(World(BOOST), recipe, variants, old, Upgrade.of(["NumPy"]))
    assert versions(numpy, "cpu-py3.11") == {"boost-cpu": "3.0", "numpy": "2.0"}
    twin = locked(World(BOOST), recipe, variants, old, Upgrade.of(["boost"]))
    assert versions(twin, "cpu-py3.11") == {"boost-cpu": "3.1", "numpy": "1.0"}
    new = locked(World(BOOST), recipe, variants, old, Upgrade(everything=True))
    assert new == locked(World(BOOST), recipe, variants)


def test_a_new_sibling_takes_the_versions_of_the_old_ones(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world, recipe = World(BOOST), make_recipe("numpy<2", exempt={"other": "x"})
    old = locked(world, make_recipe("numpy<1.1"), make_variants({"cpu": ""}))
    new = locked(world, recipe, make_variants(PAIR), old)
    assert versions(new, "cu129-py3.11") == {"numpy": "1.0"}


def test_a_twin_is_not_held_at_a_version_that_its_other_half_lost(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy<2", TWIN | {"version": ">=3"}), make_variants(PAIR)
    before = {name: dict(found) for name, found in BOOST.items()}
    del before["boost-cpu"]["3.1"], before["numpy"]["1.1"]
    old = locked(World(before), recipe, variants)
    assert versions(old, "cpu-py3.11") == {"boost-cpu": "3.0", "numpy": "1.0"}
    after = {name: dict(found) for name, found in BOOST.items()}
    del after["boost-cpu"]["3.0"]
    new = locked(World(after), recipe, variants, old)
    assert versions(new, "cpu-py3.11") == {"boost-cpu": "3.1", "numpy": "1.0"}


def test_an_upgrade_of_what_no_lock_holds_is_seen(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    lock = locked(World(BOOST), make_recipe("numpy"), make_variants(PAIR))
    assert Upgrade.of(["numpy", "NumPi"]).unmatched([lock]) == ("numpi",)


def test_a_requirement_without_an_answer_is_named_with_its_line(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("numpy", TWIN | {"version": "==3.3"})
    with pytest.raises(LockError) as caught:
        locked(World(BOOST), recipe, make_variants(PAIR))
    assert caught.value.message == (
        "recipes/digits.yaml:2:5: 'boost==3.3' of digits/cu129-py3.11 has no answer for "
        "Python 3.11 on x86-64 Linux with glibc 2.36: no versions satisfy boost==3.3"
    )
    assert "wheels" in caught.value.hint


def test_requirements_of_one_variant_that_exclude_each_other_are_named(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("numpy>=2", "nccl", TWIN | {"version": "==3.1"})
    with pytest.raises(LockError) as caught:
        locked(World(BOOST), recipe, make_variants(PAIR))
    message = caught.value.message
    assert message.startswith(
        "digits/cu129-py3.11 can't have 'boost==3.1' (recipes/digits.yaml:3:5) and "
        "'numpy>=2' (recipes/digits.yaml:1:5) together"
    )
    assert "nccl" not in message.partition(": ")[0]


def test_twins_without_a_common_version_are_named_with_their_line(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world: Index = {"a-cpu": {"1.0": [], "3.0": []}, "a": {"2.0": []}, "numpy": {"1": []}}
    recipe = make_recipe("numpy", {"cpu": "a-cpu", "cuda": "a"})
    with pytest.raises(LockError) as caught:
        locked(World(world), recipe, make_variants(PAIR))
    assert caught.value.message.startswith(
        "recipes/digits.yaml:2:5: the twins 'a' and 'a-cpu' have no version in common for "
    )


OLD: Index = {
    "numpy": BOOST["numpy"],
    "b-cpu": {"1.0": ["numpy>=2"]},
    "b": {"1.0": ["numpy<2"]},
    "c": {"1.0": []},
}


def test_what_prevents_parity_is_named_with_what_would_differ(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("c", {"cpu": "b-cpu", "cuda": "b"}, "numpy")
    with pytest.raises(LockError) as caught:
        locked(World(OLD), recipe, make_variants(PAIR))
    assert caught.value.message == (
        "digits: cpu-py3.11 and cu129-py3.11 can't have the same versions: parity is possible only "
        "without 'b' (recipes/digits.yaml:2:5) or 'b-cpu' (recipes/digits.yaml:2:5); "
        "'numpy' would be 2.0 in cpu-py3.11 and 1.1 in cu129-py3.11; "
        "no versions satisfy b and b-cpu and c and numpy"
    )
    assert "parity.exempt" in caught.value.hint


def test_an_exempt_package_may_differ_and_nothing_else(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world: Index = {
        **OLD,
        "b-cpu": {"1.0": ["numpy>=2", "c"]},
        "b": {"1.0": ["numpy<2", "c<2"]},
        "c": {"1.0": [], "2.0": []},
    }
    recipe = make_recipe({"cpu": "b-cpu", "cuda": "b"}, exempt={"NumPy": "b is old"})
    lock = locked(World(world), recipe, make_variants(PAIR))
    assert versions(lock, "cpu-py3.11") == {"b-cpu": "1.0", "c": "1.0", "numpy": "2.0"}
    assert versions(lock, "cu129-py3.11") == {"b": "1.0", "c": "1.0", "numpy": "1.1"}
    assert groups(lock, "cpu-py3.11")["numpy"] == "device"
    assert groups(lock, "cpu-py3.11")["c"] == "common"


def test_exempting_one_package_does_not_excuse_another(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe({"cpu": "b-cpu", "cuda": "b"}, "c", exempt={"c": "a reason"})
    with pytest.raises(LockError) as caught:
        locked(World(OLD), recipe, make_variants(PAIR))
    assert "'b-cpu' (recipes/digits.yaml:1:5)" in caught.value.message
    assert "'numpy' would be 2.0 in cpu-py3.11 and 1.1 in cu129-py3.11" in caught.value.message


def test_a_dependency_that_brings_the_other_half_of_a_twin_is_refused(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world: Index = {**BOOST, "plugin": {"1.0": ["boost"]}}
    with pytest.raises(LockError, match=r"cpu-py3\.11 holds 'boost' and 'boost-cpu'"):
        locked(World(world), make_recipe("plugin", TWIN), make_variants(PAIR))


def test_a_direct_url_is_refused_with_its_line(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("numpy @ https://wheels.example.org/numpy-1.0-py3-none-any.whl")
    with pytest.raises(LockError, match=r"recipes/digits\.yaml:1:5: 'numpy' is a direct URL"):
        locked(World(BOOST), recipe, make_variants(PAIR))


def test_what_stays_out_reaches_the_resolver_in_every_question(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world = World(BOOST)
    reason = Exclusion("reason", Place("x", 1, 1))
    recipe = replace(make_recipe("numpy", TWIN), without={"b": reason, "a": reason})
    locked(world, recipe, make_variants(PAIR))
    assert set(world.left_out) == {("a", "b")}


def test_siblings_ask_the_indexes_of_all_of_them(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    asked: list[tuple[str, ...]] = []

    class Listening(World):
        def compile(self, *args: Any, indexes: Sequence[str], **kwargs: Any) -> Any:
            asked.append(tuple(indexes))
            return super().compile(*args, indexes=indexes, **kwargs)

    cpu, cuda = make_variants(PAIR)
    own = replace(make_override(), indexes=("https://cpu.example/simple",))
    recipe = make_recipe("numpy", TWIN, indexes=("https://all.example/simple",))
    locked(Listening(BOOST), recipe, [replace(cpu, overrides=(own,)), cuda])
    assert set(asked) == {("https://all.example/simple", "https://cpu.example/simple")}


def test_system_packages_of_the_accelerator_reach_cuda_variants_only(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    system = SystemPackages((AptPackage("libgomp1"),), (AptPackage("libnuma1"),))
    recipe = make_recipe("numpy", system=system)
    cpu, cuda = make_variants(PAIR, packages=(AptPackage("cudnn", "8.9"), AptPackage("libgomp1")))
    assert [str(one) for one in apt_packages(recipe, cpu)] == ["libgomp1"]
    assert [str(one) for one in apt_packages(recipe, cuda)] == [
        "libgomp1",
        "libnuma1",
        "cudnn=8.9",
    ]


def test_an_image_of_a_registry_is_not_assumed_to_hold_python(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    system = SystemPackages((AptPackage("libgomp1"),), ())
    (cpu,) = make_variants({"cpu": ""}, pythons=("3.10",))
    image = replace(cpu.base, source=Reference.parse("ubuntu:22.04"))
    packages = apt_packages(make_recipe(system=system), replace(cpu, base=image))
    assert [str(one) for one in packages] == ["python3.10", "libgomp1"]


def test_apt_is_asked_once_for_the_same_packages_and_never_for_none(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    variants = make_variants(PAIR, pythons=("3.11", "3.12"))
    for system, times in ((SystemPackages((AptPackage("z"),), ()), 1), (SystemPackages((), ()), 0)):
        apt = Apt()
        lock = lock_recipe(
            make_recipe("numpy", system=system),
            variants,
            resolver=World(BOOST),
            apt=apt,
            previous=None,
            upgrade=Upgrade(),
            glibc=lambda _: "2.36",
        )
        assert len(apt.asked) == times
        names = [package.name for package in lock.variants[0].apt]
        assert names == (["libc6", "z"] if times else [])


def test_the_lock_carries_the_checksum_of_its_inputs(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy"), make_variants(PAIR)
    lock = locked(World(BOOST), recipe, variants)
    assert lock.checksum == inputs_checksum(recipe, variants, {"debian-12": variants[0].base})


def test_what_is_not_a_glibc_version_is_refused(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    with pytest.raises(LockError, match="'bookworm' is not a version of glibc"):
        lock_recipe(
            make_recipe("numpy"),
            make_variants(PAIR),
            resolver=World(BOOST),
            apt=Apt(),
            previous=None,
            upgrade=Upgrade(),
            glibc=lambda _: "bookworm",
        )


def test_a_resolver_that_breaks_parity_is_caught(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    class Careless(World):
        def compile(  # noqa: PLR0913 - as the protocol has it
            self,
            requirements: Sequence[str],
            constraints: Sequence[str],
            target: Target,
            *,
            preferences: Mapping[str, str],
            indexes: Sequence[str],
            without: Sequence[str] = (),
        ) -> tuple[Resolved, ...] | Conflict:
            found = super().compile(
                requirements,
                constraints,
                target,
                preferences=preferences,
                indexes=indexes,
                without=without,
            )
            if isinstance(found, Conflict) or "boost" not in requirements:
                return found
            return tuple(replace(one, sha256="e" * 64) for one in found)

    with pytest.raises(LockError, match=r"has no parity: 'numpy' 1\.1 is"):
        locked(Careless(BOOST), make_recipe("numpy", TWIN), make_variants(PAIR))


def overridden(variants: Sequence[Variant], slug: str, *overrides: Override) -> list[Variant]:
    return [replace(v, overrides=overrides) if v.slug == slug else v for v in variants]


def test_an_override_s_package_is_in_its_variant_only_and_its_siblings_still_match(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = make_variants(PAIR, pythons=("3.11", "3.12"))
    variants_with = overridden(variants, "cu129-py3.11", make_override("nccl", "numpy<1.1"))
    lock = locked(World(BOOST), make_recipe("numpy"), variants_with)
    assert versions(lock, "cu129-py3.11") == {"numpy": "1.0", "nccl": "2.3"}
    assert versions(lock, "cpu-py3.11") == {"numpy": "1.0"}
    # no siblings of theirs
    assert versions(lock, "cpu-py3.12") == versions(lock, "cu129-py3.12") == {"numpy": "2.0"}
    assert groups(lock, "cu129-py3.11") == {"numpy": "common", "nccl": "device"}


def test_a_twin_that_an_override_gives_to_one_sibling_is_not_missing_in_the_other(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = overridden(make_variants(PAIR), "cu129-py3.11", make_override(TWIN))
    lock = locked(World(BOOST), make_recipe("numpy"), variants)
    assert versions(lock, "cpu-py3.11") == {"numpy": "2.0"}
    assert versions(lock, "cu129-py3.11") == {"boost": "3.4", "nccl": "2.3", "numpy": "2.0"}


def test_overrides_that_exclude_each_other_between_siblings_are_named_with_their_line(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = overridden(make_variants(PAIR), "cu129-py3.11", make_override("numpy<2"))
    with pytest.raises(LockError) as caught:
        locked(World(BOOST), make_recipe("numpy>=2"), variants)
    assert "'numpy<2' (recipes/digits.yaml:50:5)" in caught.value.message
    assert "'numpy>=2' (recipes/digits.yaml:1:5)" in caught.value.message
    exempt = make_recipe("numpy>=2", exempt={"numpy": "the old one there"})
    lock = locked(World(BOOST), exempt, variants)
    assert versions(lock, "cpu-py3.11")["numpy"] == "2.0"
    assert versions(lock, "cu129-py3.11")["numpy"] == "1.1"


def test_an_override_s_debian_packages_are_asked_of_apt(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    system = SystemPackages((AptPackage("libgomp1"), AptPackage("curl")), (AptPackage("cuda"),))
    change = SystemPackages((AptPackage("libgomp1", "12"),), (AptPackage("libnuma1"),))
    (cuda,) = make_variants({"cu129": "12.9"})
    changed = replace(cuda, overrides=(make_override(system=change),))
    recipe = make_recipe(system=system)
    assert list(map(str, apt_packages(recipe, cuda))) == ["libgomp1", "curl", "cuda"]
    assert list(map(str, apt_packages(recipe, changed))) == [
        "curl",
        "libgomp1=12",
        "cuda",
        "libnuma1",
    ]
