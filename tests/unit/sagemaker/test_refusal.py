"""What is said when nothing of a release runs on an instance type.

The facts are NVIDIA's: CUDA 12.0 dropped Kepler (the K80 is sm_37), CUDA 11.8 is the first that
knows sm_89 (the L4), and Graviton is arm64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.errors import ImpossibleError, UnknownError, UsageError
from twinforge.registry.releases import Release, ReleasedVariant, write_release
from twinforge.sagemaker.image_uri import image_uri
from twinforge.sagemaker.select import Wish, select_variant

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.compat.facts import Use

NAME = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/digits"
END = "py3.11-debian12"
K80 = (
    "p2 has the NVIDIA Tesla K80, of compute capability 3.7; CUDA 12.9 knows compute capabilities "
    "5.0 to 12.1; CUDA 12.0 dropped the older ones"
)
L4 = "whether code of CUDA 10.2 runs on sm_89, which it does not know"
ON_CPU = "the CPU image can be asked for by accelerator 'cpu'; it leaves the accelerator unused"


def release(*cudas: str, end: str = END, cpu_arch: str = "amd64") -> Release:
    """Return a release with a variant per CUDA version, of which an empty one is a CPU's."""
    variants = []
    for cuda in cudas:
        accelerator = f"cu{cuda.replace('.', '')}" if cuda else "cpu"
        slug = f"{accelerator}-{end}"
        variants.append(
            ReleasedVariant(
                slug=slug,
                version="1.0.0",
                accelerator=accelerator,
                cuda=cuda,
                key="a" * 64,
                image_id=f"sha256:{'a' * 64}",
                tags=(f"1.0.0-{slug}",),
                aliases=(),
                digests={NAME: f"sha256:{'a' * 64}"},
                cpu_arch=cpu_arch,
            )
        )
    return Release("digits", tuple(variants))


def refused(
    what: Release, instance: str, use: Use = "hosting", wish: Wish | None = None
) -> ImpossibleError | UnknownError:
    with pytest.raises((ImpossibleError, UnknownError)) as caught:
        select_variant(what, instance, use=use, wish=wish)
    error = caught.value
    assert isinstance(error, ImpossibleError | UnknownError)
    assert "\n" not in error.message
    return error


def test_k80_is_refused_cuda_12_and_told_the_last_cuda_that_knows_it() -> None:
    error = refused(release("12.9"), "ml.p2.xlarge")
    assert type(error) is ImpossibleError
    assert error.message == (
        f"no variant of 'digits' runs on ml.p2.xlarge: the nearest is 'cu129-{END}', but {K80}"
    )
    assert error.hint == (
        "an image with CUDA 11.8 instead of 12.9 would run there; "
        "the nearest would run on ml.g6.xlarge"
    )


def test_the_cpu_image_beside_it_is_offered_and_is_not_the_nearest() -> None:
    error = refused(release("", "12.9"), "ml.p2.xlarge")
    assert f"the nearest is 'cu129-{END}', but {K80}" in error.message
    assert error.hint.endswith(ON_CPU)


def test_of_several_cudas_that_are_too_new_the_oldest_is_the_nearest() -> None:
    error = refused(release("12.9", "12.4", "13.0"), "ml.p2.xlarge")
    assert f"the nearest is 'cu124-{END}'" in error.message
    assert "an image with CUDA 11.8 instead of 12.4 would run there" in error.hint


def test_an_l4_is_not_promised_code_of_a_cuda_before_its_architecture() -> None:
    error = refused(release("10.2"), "ml.g6.xlarge")
    assert type(error) is UnknownError
    assert error.message.startswith(
        "it is not known whether 'digits' runs on ml.g6.xlarge: "
        f"the nearest is 'cu102-{END}', but {L4}"
    )
    assert error.hint == (
        "an image with CUDA 11.8 instead of 10.2 would run there; "
        "the nearest would run on ml.g4dn.xlarge"
    )


def test_cuda_11_8_knows_sm_89_so_that_an_l4_takes_it() -> None:
    assert select_variant(release("11.8"), "ml.g6.xlarge").variant == f"cu118-{END}"


def test_what_may_work_is_nearer_than_what_can_not() -> None:
    error = refused(release("12.9", "14.0"), "ml.p2.xlarge")
    assert type(error) is UnknownError
    assert f"the nearest is 'cu140-{END}', but there is no data on CUDA 14.0" in error.message


def test_in_training_what_would_run_comes_with_its_condition() -> None:
    error = refused(release("12.9"), "ml.p2.xlarge", "training")
    assert error.hint.startswith(
        "an image with CUDA 11.8 instead of 12.9 would run there, on condition: the host driver of "
        "training jobs on ml.p2 is not published; CUDA 11.8 needs 450.80.02; "
    )


def test_graviton_is_told_that_images_are_for_amd64_and_where_they_run() -> None:
    error = refused(release("", "12.9"), "ml.c7g.large")
    assert type(error) is ImpossibleError
    assert error.message == (
        "no variant of 'digits' runs on ml.c7g.large: "
        f"the nearest is 'cpu-{END}', but ml.c7g.large is arm64, the image is amd64"
    )
    assert error.hint == (
        "an arm64 image would run there (the axis `arch` of the matrix), this is amd64; "
        "the nearest would run on ml.t2.large"
    )


def test_a_type_without_a_gpu_needs_an_image_without_cuda() -> None:
    error = refused(release("12.9"), "ml.m5.large")
    assert error.message.endswith(
        f"the nearest is 'cu129-{END}', but ml.m5.large has no NVIDIA GPU"
    )
    assert error.hint == (
        "an image without CUDA would run there; the nearest would run on ml.g6.xlarge"
    )


def test_inferentia_has_the_cpu_image_as_the_nearest() -> None:
    error = refused(release("", "12.9"), "ml.inf1.xlarge")
    assert f"the nearest is 'cpu-{END}', but a CPU image would leave the" in error.message
    assert error.hint == ON_CPU


@pytest.mark.parametrize(
    ("instance", "hint"),
    [
        ("ml.p2.xlage", "did you mean 'ml.p2.xlarge'?"),
        ("ml.g5g.xlarge", "did you mean 'ml.g5.xlarge'?"),
    ],
)
def test_an_unknown_type_has_no_nearest_variant_but_a_nearest_name(
    instance: str, hint: str
) -> None:
    error = refused(release("", "12.9"), instance)
    assert type(error) is UnknownError
    assert error.message == f"there is no data on the instance type '{instance}'"
    assert error.hint == hint


def test_a_variant_that_is_named_is_the_only_one_that_is_spoken_of() -> None:
    both = release("11.8", "12.9")
    error = refused(both, "ml.p2.xlarge", wish=Wish(accelerator="cu129"))
    assert f"the nearest is 'cu129-{END}', but {K80}" in error.message


def test_image_uri_refuses_with_the_same_words(tmp_path: Path) -> None:
    write_release(tmp_path, release("12.9"))
    with pytest.raises(ImpossibleError) as caught:
        image_uri("digits", instance_type="ml.p2.xlarge", project=tmp_path)
    error = refused(release("12.9"), "ml.p2.xlarge")
    assert (caught.value.message, caught.value.hint) == (error.message, error.hint)


ARM = f"{END}-arm64"


@pytest.mark.parametrize(
    "instance", ["ml.c7g.large", "ml.m6g.xlarge", "ml.c6gn.xlarge", "ml.r8g.large"]
)
def test_graviton_gets_the_arm64_image_and_the_others_the_amd64_one(instance: str) -> None:
    both = Release(
        "digits", (*release("").variants, *release("", end=ARM, cpu_arch="arm64").variants)
    )
    chosen = select_variant(both, instance)
    assert chosen.variant == f"cpu-{ARM}"
    assert chosen.reason == f"{instance} is arm64 with no accelerator, 'cpu-{ARM}' needs no GPU"
    assert select_variant(both, "ml.m5.large").variant == f"cpu-{END}"


def test_an_arm64_image_is_refused_where_the_cpu_is_amd64() -> None:
    error = refused(release("", end=ARM, cpu_arch="arm64"), "ml.m5.large")
    assert "but ml.m5.large is amd64, the image is arm64" in error.message
    assert "an amd64 image would run there" in error.hint


def test_what_is_declared_and_not_pushed_is_named_if_it_would_run() -> None:
    declared = (
        *release("", "11.8", "12.9").variants,
        *release("", end=ARM, cpu_arch="arm64").variants,
    )
    wish = Wish(declared=declared)
    graviton = refused(release("", "12.9"), "ml.c7g.large", wish=wish)
    assert graviton.hint.startswith(
        f"'cpu-{ARM}' is declared and would run there: `twinforge push digits/cpu-{ARM}`; "
    )
    k80 = refused(release("", "12.9"), "ml.p2.xlarge", wish=wish)
    assert k80.hint.startswith(f"'cu118-{END}' is declared and would run there")
    # what would not run there either, or leaves the GPU unused, is not worth a push
    nothing = refused(
        release("12.9"), "ml.p2.xlarge", wish=Wish(declared=release("", "12.4").variants)
    )
    assert "declared" not in nothing.hint


def test_a_wish_that_only_an_unpushed_variant_meets_names_it() -> None:
    wish = Wish(accelerator="cu118", declared=release("11.8", "12.9").variants)
    with pytest.raises(UsageError) as caught:
        select_variant(release("12.9"), "ml.p2.xlarge", wish=wish)
    assert caught.value.hint == (
        f"released variants: cu129-{END}; declared and not pushed: cu118-{END}"
    )
