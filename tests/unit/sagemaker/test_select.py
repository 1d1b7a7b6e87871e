from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from twinforge.compat.verdict import Verdict
from twinforge.errors import ImpossibleError, UnknownError, UsageError
from twinforge.model.matrix import Accelerator, Base, Bootstrap, Registry
from twinforge.model.place import Place
from twinforge.model.variant import Variant
from twinforge.registry.releases import Release, ReleasedVariant, write_release
from twinforge.sagemaker.image_uri import image_uri
from twinforge.sagemaker.select import Origin, Wish, region_of, select_variant, slug_part

if TYPE_CHECKING:
    from pathlib import Path

DUBLIN = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
PLACE = Place("matrix.yaml", 1, 1)
VIRGINIA = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def released(
    accelerator: str, cuda: str = "", *, digit: str = "a", end: str = ""
) -> ReleasedVariant:
    slug = f"{accelerator}{end or '-py3.11-debian12'}"
    return ReleasedVariant(
        slug=slug,
        version="1.0.0",
        accelerator=accelerator,
        cuda=cuda,
        key=digit * 64,
        image_id=f"sha256:{digit * 64}",
        tags=(f"key-{digit * 16}", f"1.0.0-{slug}"),
        aliases=(),
        digests={f"{DUBLIN}/ml/digits": f"sha256:{digit * 64}"},
    )


CPU = released("cpu", digit="c")
CU118 = released("cu118", "11.8", digit="1")
CU129 = released("cu129", "12.9", digit="2")
PAIR = Release("digits", (CPU, CU129))
ALL = Release("digits", (CPU, CU118, CU129))


def test_a_cpu_instance_gets_the_cpu_image_by_tag_and_by_digest() -> None:
    got = select_variant(PAIR, "ml.m4.xlarge")
    assert got.variant == "cpu-py3.11-debian12"
    assert str(got.reference) == f"{DUBLIN}/ml/digits:1.0.0-cpu-py3.11-debian12"
    assert str(got.pinned) == f"{DUBLIN}/ml/digits@sha256:{'c' * 64}"
    assert (got.verdict, got.conditions, got.ami) == (Verdict.WORKS, (), "")


@pytest.mark.parametrize(
    ("instance", "variant"),
    [
        ("ml.m4.xlarge", "cpu"),
        ("ml.p2.xlarge", "cu118"),
        ("ml.g6.xlarge", "cu129"),
        ("ml.p5.48xlarge", "cu129"),
        # driver 470: cu118 starts as it is, cu129 would need another AMI
        ("ml.g4dn.xlarge", "cu118"),
    ],
)
def test_the_newest_cuda_that_works_as_it_is_goes_first(instance: str, variant: str) -> None:
    assert select_variant(ALL, instance).variant == f"{variant}-py3.11-debian12"


def test_in_training_the_newest_cuda_that_the_gpu_knows_is_taken_with_a_note() -> None:
    got = select_variant(ALL, "ml.g5.xlarge", use="training")
    assert got.variant == "cu129-py3.11-debian12"
    assert got.conditions == (
        "the host driver of training jobs on ml.g5 is not published; CUDA 12.9 needs 525.60.13",
    )
    assert select_variant(ALL, "ml.p2.xlarge", use="training").variant.startswith("cu118-")


def test_a_gpu_with_an_old_default_driver_gets_the_ami_to_ask_for() -> None:
    got = select_variant(PAIR, "ml.g4dn.xlarge")
    assert (got.verdict, got.ami) == (Verdict.CONDITIONAL, "al2-ami-sagemaker-inference-gpu-2")
    assert got.as_json()["verdict"] == "conditional"


@pytest.mark.parametrize("instance", ["ml.p2.xlarge", "ml.inf1.xlarge", "ml.trn1.2xlarge"])
def test_a_cpu_image_takes_a_paid_accelerator_only_when_asked_for(instance: str) -> None:
    with pytest.raises(ImpossibleError) as refused:
        select_variant(PAIR, instance)
    assert "accelerator 'cpu'; it leaves the accelerator unused" in refused.value.hint
    got = select_variant(PAIR, instance, wish=Wish(accelerator="cpu"))
    assert (got.variant, got.verdict) == (CPU.slug, Verdict.WORKS)


def test_a_variant_that_is_named_is_checked_all_the_same() -> None:
    with pytest.raises(ImpossibleError, match=r"CUDA 12[.]9 knows"):
        select_variant(ALL, "ml.p2.xlarge", wish=Wish(variant=CU129.slug))
    assert select_variant(ALL, "ml.g6.xlarge", wish=Wish(variant=CPU.slug)).variant == CPU.slug


def test_graviton_refuses_images_for_amd64() -> None:
    with pytest.raises(ImpossibleError, match=r"ml\.c7g\.large is arm64, the image is amd64"):
        select_variant(PAIR, "ml.c7g.large")


def test_an_unknown_type_is_refused_and_not_guessed() -> None:
    with pytest.raises(UnknownError) as got:
        select_variant(PAIR, "ml.p2.xlage")
    assert got.value.hint == "did you mean 'ml.p2.xlarge'?"


def test_a_pair_that_no_data_decides_is_unknown() -> None:
    future = Release("digits", (released("cu140", "14.0"),))
    with pytest.raises(UnknownError, match=r"there is no data on CUDA 14\.0"):
        select_variant(future, "ml.g6.xlarge")


def test_the_region_chooses_the_registry_and_the_digest() -> None:
    places = {f"{VIRGINIA}/ml/digits": f"sha256:{'d' * 64}", **CPU.digests}
    release = Release("digits", (replace(CPU, digests=places),))
    got = select_variant(release, "ml.m4.xlarge", origin=Origin("us-east-1"))
    assert str(got.pinned) == f"{VIRGINIA}/ml/digits@sha256:{'d' * 64}"
    usual = Origin(usual_region="eu-west-1")
    assert select_variant(release, "ml.m4.xlarge", origin=usual).pinned.host == DUBLIN
    with pytest.raises(UsageError, match="is in several places: us-east-1, eu-west-1"):
        select_variant(release, "ml.m4.xlarge")


def test_what_is_in_ecr_goes_before_what_sagemaker_can_not_run() -> None:
    places = {"localhost:5000/staging/digits": f"sha256:{'d' * 64}", **CPU.digests}
    release = Release("digits", (replace(CPU, digests=places),))
    assert select_variant(release, "ml.m4.xlarge").pinned.host == DUBLIN


def test_of_two_registries_in_one_region_one_has_to_be_named() -> None:
    def registry(name: str, path: str, account: str = "", kind: str = "ecr") -> Registry:
        regions = ("eu-west-1",) if kind == "ecr" else ()
        host = "localhost:5000" if kind == "oci" else ""
        return Registry(
            kind, host, account, regions, path, place=PLACE, name=name, scan_on_push=False
        )

    other = DUBLIN.replace("123456789012", "999999999999")
    places = {
        f"{DUBLIN}/staging/digits": f"sha256:{'d' * 64}",
        f"{DUBLIN}/ml/digits": f"sha256:{'e' * 64}",
        f"{other}/ml/digits": f"sha256:{'f' * 64}",
        "localhost:5000/ml/digits": f"sha256:{'0' * 64}",
    }
    release = Release("digits", (replace(CPU, digests=places),))

    def chosen(registry: Registry) -> str:
        return str(select_variant(release, "ml.m4.xlarge", origin=Origin(registry=registry)).pinned)

    assert chosen(registry("staging", "staging/{recipe}")) == (
        f"{DUBLIN}/staging/digits@sha256:{'d' * 64}"
    )
    production = registry("production", "ml/{recipe}", "999999999999")
    assert chosen(production) == f"{other}/ml/digits@sha256:{'f' * 64}"
    local = registry("local", "ml/{recipe}", kind="oci")
    assert chosen(local) == f"localhost:5000/ml/digits@sha256:{'0' * 64}"
    with pytest.raises(UsageError) as got:
        select_variant(release, "ml.m4.xlarge")
    assert got.value.message.endswith(
        f"is in several places: {DUBLIN}/staging/digits, {DUBLIN}/ml/digits, {other}/ml/digits"
    )
    with pytest.raises(ImpossibleError, match="is not in registry 'next'; it is in"):
        chosen(registry("next", "next/{recipe}"))


def test_an_image_of_another_region_is_refused_with_the_regions_where_it_is() -> None:
    with pytest.raises(ImpossibleError) as got:
        select_variant(PAIR, "ml.m4.xlarge", origin=Origin("us-east-1"))
    assert got.value.message == (
        "the variant 'cpu-py3.11-debian12' is not in region 'us-east-1'; it is in eu-west-1"
    )


def test_a_registry_that_is_not_ecr_is_in_no_region() -> None:
    places = {"localhost:5000/ml/digits": f"sha256:{'d' * 64}"}
    release = Release("digits", (replace(CPU, digests=places),))
    assert select_variant(release, "ml.m4.xlarge").pinned.host == "localhost:5000"
    with pytest.raises(ImpossibleError, match="it is in localhost:5000"):
        select_variant(release, "ml.m4.xlarge", origin=Origin("eu-west-1"))


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (DUBLIN, "eu-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("localhost:5000", ""),
        ("evil.example/123456789012.dkr.ecr.eu-west-1.amazonaws.com", ""),
    ],
)
def test_the_region_is_read_from_an_ecr_host_only(host: str, region: str) -> None:
    assert region_of(host) == region


def test_variants_that_work_equally_are_chosen_in_declared_order_or_by_an_axis_value() -> None:
    old = released("cpu", digit="a", end="-py3.11-debian12")
    new = released("cpu", digit="b", end="-py3.9-debian12")
    release = Release("digits", (old, new))
    declared = Wish(order=(new.slug, old.slug))
    assert select_variant(release, "ml.m4.xlarge").variant == old.slug
    assert select_variant(release, "ml.m4.xlarge", wish=declared).variant == new.slug
    asked = Wish(values={"python": "3.9"})
    assert select_variant(release, "ml.m4.xlarge", wish=asked).variant == new.slug


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish(values={"python": "3.1"}), "python 3.1"),
        (Wish(accelerator="rocm"), "accelerator rocm"),
        (Wish(variant="gpu"), "'gpu'"),
    ],
)
def test_a_wish_that_matches_nothing_is_an_error(wish: Wish, told: str) -> None:
    with pytest.raises(UsageError) as got:
        select_variant(PAIR, "ml.m4.xlarge", wish=wish)
    assert got.value.message == f"no released variant of 'digits' is {told}"
    assert got.value.hint == f"released variants: {CPU.slug}, {CU129.slug}"


def test_a_variant_that_is_nowhere_or_has_no_version_tag_is_an_error() -> None:
    with pytest.raises(UsageError, match="was not pushed anywhere"):
        select_variant(Release("digits", (replace(CPU, digests={}),)), "ml.m4.xlarge")
    with pytest.raises(UsageError, match="has no version tag"):
        select_variant(Release("digits", (replace(CPU, tags=("key-0",)),)), "ml.m4.xlarge")


def test_axis_values_stand_in_slugs_as_the_model_writes_them() -> None:
    place = Place("matrix.yaml", 1, 1)
    values = (("accelerator", "cu129"), ("python", "3.11"), ("os", "debian-12"), ("flavour", "a-b"))
    variant = Variant(
        recipe="digits",
        version="1.0.0",
        values=values,
        accelerator=Accelerator("cu129", "12.9", "", (), place),
        base=Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), place),
        python="3.11",
    )
    assert variant.slug == "-".join(slug_part(axis, value) for axis, value in values)


def test_image_uri_answers_like_select(tmp_path: Path) -> None:
    write_release(tmp_path, ALL)
    ask = partial(image_uri, "digits", instance_type="ml.p2.xlarge", project=tmp_path)
    pinned = ask(region="eu-west-1", image_scope="training", py_version="py311")
    assert pinned == f"{DUBLIN}/ml/digits@sha256:{'1' * 64}"
    tagged = ask(digest=False, accelerator="cpu", py_version="3.11")
    assert tagged == f"{DUBLIN}/ml/digits:1.0.0-cpu-py3.11-debian12"


def test_image_uri_of_what_was_not_released_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing of the recipe 'digits' was released"):
        image_uri("digits", instance_type="ml.m4.xlarge", project=tmp_path)


def test_an_image_scope_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    write_release(tmp_path, PAIR)
    with pytest.raises(UsageError, match="'eia' is not an image scope"):
        image_uri(
            "digits",
            instance_type="ml.m4.xlarge",
            image_scope="eia",  # type: ignore[arg-type] # what a caller without types may pass
            project=tmp_path,
        )
