from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from twinforge.errors import TwinforgeError
from twinforge.lock.locked import BaseLock, Deb
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import Package
from twinforge.model.reference import Digest, Reference
from twinforge.render.dockerfile import EPOCH, _shipped, base_name, render_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.lock.locked import VariantLock, Wheel
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

PLACE = Place("matrix.yaml", 3, 3)
DIGEST = "sha256:" + "d" * 64
Split = list[tuple[str, str]]
Make = dict[str, str]


@pytest.fixture
def render(
    make_recipe: Callable[..., Recipe],
    make_variant: Callable[..., Variant],
    make_lock: Callable[..., VariantLock],
    base_lock: BaseLock,
) -> Callable[..., dict[str, str]]:
    """Render with what a test says and defaults for the rest."""

    def run(
        recipe: Recipe | None = None,
        variant: Variant | None = None,
        lock: VariantLock | None = None,
        base: BaseLock | None = base_lock,
        *,
        template: str = "",
    ) -> dict[str, str]:
        return render_files(
            recipe or make_recipe(),
            variant or make_variant(),
            lock or make_lock(),
            base,
            template=template,
        )

    return run


def image_base(reference: str) -> Base:
    return Base("ubuntu-22.04", "ubuntu-22.04", "", Reference.parse(reference), PLACE)


def test_an_image_has_neither_command_nor_entrypoint_nor_user(
    render: Callable[..., Make], read_dockerfile: Callable[[str], Split]
) -> None:
    names = [name for name, _ in read_dockerfile(render()["Dockerfile"])]
    assert {"CMD", "ENTRYPOINT", "USER", "ARG", "SHELL", "ONBUILD"}.isdisjoint(names)


def test_what_an_image_of_a_registry_starts_by_itself_is_taken_away(
    render: Callable[..., Make],
    read_dockerfile: Callable[[str], Split],
    make_variant: Callable[..., Variant],
) -> None:
    dockerfile = render(variant=make_variant(base=image_base("ubuntu:22.04")))["Dockerfile"]
    assert [name for name, _ in read_dockerfile(dockerfile)][:3] == ["FROM", "ENTRYPOINT", "FROM"]
    assert ("ENTRYPOINT", "[]") in read_dockerfile(dockerfile)


def test_every_copy_is_linked_so_that_layers_do_not_depend_on_the_base(
    render: Callable[..., Make],
    read_dockerfile: Callable[[str], Split],
    make_lock: Callable[..., VariantLock],
    make_wheel: Callable[..., Wheel],
) -> None:
    lock = make_lock(make_wheel("a"), make_wheel("b", 10**9, group="device"))
    copies = [
        arguments
        for name, arguments in read_dockerfile(render(lock=lock)["Dockerfile"])
        if name in {"COPY", "ADD"}
    ]
    assert [copy.split() for copy in copies] == [
        ["--link", "--from=wheels-common", "/out/_python/", "/"],
        ["--link", "--from=wheels-common", "/out/small/", "/"],
        ["--link", "--from=wheels-device-b", "/out/_device/", "/"],
        ["--link", "--from=wheels-device-b", "/out/b/", "/"],
        ["--link", "program.tar", "/"],
    ]


def test_without_wheels_the_environment_has_a_stage_of_its_own(
    render: Callable[..., Make], read_dockerfile: Callable[[str], Split]
) -> None:
    dockerfile = read_dockerfile(render()["Dockerfile"])
    assert ("FROM", "base AS python") in dockerfile
    assert ("COPY", "--link --from=python /out/_python/ /") in dockerfile


def test_wheels_do_not_wait_for_apt_where_the_base_has_python(render: Callable[..., Make]) -> None:
    assert "FROM base AS python\n" in render()["Dockerfile"]


@pytest.mark.parametrize("packages", [{}, {"python3.11-minimal": "1"}, {"python3.10": "1"}])
def test_wheels_wait_for_apt_where_it_brings_python(
    render: Callable[..., Make], packages: dict[str, str]
) -> None:
    base = BaseLock("debian-12", "bootstrap", DIGEST, packages, "")
    assert "FROM system AS python\n" in render(base=base)["Dockerfile"]
    assert "FROM system AS python\n" in render(base=None)["Dockerfile"]


def test_nothing_to_install_is_no_step(
    render: Callable[..., Make],
    make_lock: Callable[..., VariantLock],
) -> None:
    assert "apt-get" not in render()["Dockerfile"]
    assert "wheels-" not in render()["Dockerfile"]
    with_apt = render(lock=make_lock(apt=(Deb("libgomp1", "12"),)))["Dockerfile"]
    assert re.search(r"^      libgomp1=12; \\$", with_apt, re.MULTILINE)


def test_an_index_comes_with_a_secret_for_its_credentials(
    render: Callable[..., Make],
    make_recipe: Callable[..., Recipe],
    make_lock: Callable[..., VariantLock],
    make_wheel: Callable[..., Wheel],
) -> None:
    lock = make_lock(make_wheel("a"))
    index = "https://packages.example.com/simple/"
    without = render(lock=lock)["Dockerfile"]
    assert "netrc" not in without
    assert "UV_INDEX" not in without
    dockerfile = render(make_recipe(indexes=(index, f"{index}2")), lock=lock)["Dockerfile"]
    assert f"export UV_INDEX='{index} {index}2'; \\\n" in dockerfile
    assert "--mount=type=secret,id=netrc,target=/root/.netrc" in dockerfile


def test_an_index_of_a_package_is_asked_in_the_stage_that_holds_it_and_in_no_other(
    render: Callable[..., Make],
    make_recipe: Callable[..., Recipe],
    make_lock: Callable[..., VariantLock],
    make_wheel: Callable[..., Wheel],
) -> None:
    lock = make_lock(make_wheel("numpy"), make_wheel("torch", group="device"))
    own, every = "https://wheels.example.com/cpu", "https://packages.example.com/simple/"
    package = Package(Requirement("Torch"), PLACE, own)
    text = render(make_recipe(packages=(package,)), lock=lock)["Dockerfile"]
    common, device = re.findall(r"AS wheels-\w+\n(.*?)\n\n", text, re.DOTALL)
    assert "UV_INDEX" not in common
    assert "netrc" not in common
    assert f"export UV_INDEX={own}; \\\n" in device
    assert "export UV_INDEX_STRATEGY=unsafe-best-match; \\\n" in device
    assert "--mount=type=secret,id=netrc,target=/root/.netrc" in device
    both = render(make_recipe(packages=(package,), indexes=(every,)), lock=lock)["Dockerfile"]
    assert f"export UV_INDEX='{every} {own}'; \\\n" in both
    assert f"export UV_INDEX={every}; \\\n" in both
    assert both.count("UV_INDEX_STRATEGY") == 1


def test_all_times_are_the_one_of_the_epoch(
    render: Callable[..., Make],
    make_lock: Callable[..., VariantLock],
    make_wheel: Callable[..., Wheel],
) -> None:
    lock = make_lock(make_wheel("a"), apt=(Deb("libgomp1", "12"),))
    dockerfile = render(lock=lock)["Dockerfile"]
    assert re.findall(r"touch -hcd (\S+)", dockerfile) == [f'"@{EPOCH}"'] * 2


def test_debian_packages_whose_files_are_known_are_fetched_by_their_hashes(
    render: Callable[..., Make], make_lock: Callable[..., VariantLock]
) -> None:
    gomp = Deb("libgomp1", "12", "pool/main/g/libgomp1_12_amd64.deb", "a" * 64)
    curl = Deb("curl", "8", "pool/main/c/curl_8_amd64.deb", "b" * 64)
    files = render(lock=make_lock(apt=(curl, gomp)))
    assert files["debs.txt"] == f"{'b' * 64}  {curl.path}\n{'a' * 64}  {gomp.path}\n"
    assert "source=debs.txt" in files["Dockerfile"]
    pins = files["Dockerfile"].partition("apt-get update")[2]
    assert pins.index("curl=8 ") < pins.index("libgomp1=12;")


def test_where_one_file_is_unknown_the_archive_is_asked_for_all(
    render: Callable[..., Make], make_lock: Callable[..., VariantLock]
) -> None:
    known = Deb("curl", "8", "pool/main/c/curl_8_amd64.deb", "b" * 64)
    files = render(lock=make_lock(apt=(known, Deb("libgomp1", "12"))))
    assert "debs" not in files["Dockerfile"]
    assert "debs.txt" not in files


def test_a_variant_without_cuda_has_no_label_for_it(
    render: Callable[..., Make],
    read_dockerfile: Callable[[str], Split],
    read_pairs: Callable[[str], dict[str, str]],
    make_recipe: Callable[..., Recipe],
    make_variant: Callable[..., Variant],
) -> None:
    cuda = make_variant(
        accelerator=Accelerator("cu118", "11.8", "8.9", (), PLACE),
        values=(("accelerator", "cu118"), ("python", "3.11")),
    )
    labels = [
        read_pairs(read_dockerfile(text["Dockerfile"])[-1][1])
        for text in (render(make_recipe(description="")), render(variant=cuda))
    ]
    # One lock, one label: what the accelerator is called is no pin.
    assert len({each.pop("io.twinforge.lock") for each in labels}) == 1
    assert labels == [
        {
            "io.twinforge.accelerator": "cpu",
            "io.twinforge.recipe": "digits",
            "io.twinforge.variant": "cpu-py3.11-debian12",
            "org.opencontainers.image.title": "digits",
            "org.opencontainers.image.version": "1.2.0",
        },
        {
            "io.twinforge.accelerator": "cu118",
            "io.twinforge.cuda": "11.8",
            "io.twinforge.recipe": "digits",
            "io.twinforge.variant": "cu118-py3.11",
            "org.opencontainers.image.description": "Digits.",
            "org.opencontainers.image.title": "digits",
            "org.opencontainers.image.version": "1.2.0",
        },
    ]


def test_requirements_are_whole_and_each_layer_has_its_share(
    render: Callable[..., Make],
    make_lock: Callable[..., VariantLock],
    make_wheel: Callable[..., Wheel],
) -> None:
    lock = make_lock(make_wheel("a"), make_wheel("b", 10**9), make_wheel("c", group="device"))
    files = render(lock=lock)
    pins = {
        name: [line.split(" ")[0] for line in text.splitlines()[1:]]
        for name, text in files.items()
        if name.endswith(".txt")
    }
    assert pins == {
        "requirements.txt": ["a==1.0", "b==1.0", "c==1.0"],
        "layers/common/small.txt": ["a==1.0"],
        "layers/common-b/b.txt": ["b==1.0"],
        "layers/device/small.txt": ["c==1.0"],
    }


def test_the_description_of_a_variant_is_json_with_what_it_holds(
    render: Callable[..., Make],
    make_variant: Callable[..., Variant],
    make_lock: Callable[..., VariantLock],
    make_wheel: Callable[..., Wheel],
) -> None:
    lock = make_lock(make_wheel("a", 5), apt=(Deb("libgomp1", "12"),))
    variant = make_variant(aliases=("1.2-cpu", "latest-cpu"))
    assert json.loads(render(variant=variant, lock=lock)["variant.json"]) == {
        "recipe": "digits",
        "version": "1.2.0",
        "variant": "cpu-py3.11-debian12",
        "tag": "1.2.0-cpu-py3.11-debian12",
        "aliases": ["1.2-cpu", "latest-cpu"],
        "values": {"accelerator": "cpu", "python": "3.11", "os": "debian-12"},
        "base": "debian-12",
        "cuda": "",
        "cudnn": "",
        "apt": ["libgomp1=12"],
        "layers": [{"group": "common", "name": "small", "wheels": ["a==1.0"], "size_bytes": 5}],
    }


def test_a_bootstrapped_base_has_the_name_of_a_build_context(
    make_variant: Callable[..., Variant], base_lock: BaseLock
) -> None:
    assert base_name(make_variant(), base_lock) == "twinforge/base:debian-12"
    snapshot = Base("old", "debian-12", "", Bootstrap("bookworm", "20260101T000000Z", ()), PLACE)
    assert base_name(make_variant(base=snapshot), None) == "twinforge/base:old"


@pytest.mark.parametrize(
    ("reference", "digest", "expected"),
    [
        ("ubuntu:22.04", DIGEST, f"ubuntu:22.04@{DIGEST}"),
        ("ubuntu:22.04", "", "ubuntu:22.04"),
        (f"ubuntu@{DIGEST}", "", f"ubuntu@{DIGEST}"),
        (f"ubuntu:22.04@{DIGEST}", "sha256:" + "e" * 64, f"ubuntu:22.04@{DIGEST}"),
    ],
)
def test_an_image_is_pinned_by_the_digest_of_the_matrix_and_else_of_the_lock(
    make_variant: Callable[..., Variant], reference: str, digest: str, expected: str
) -> None:
    lock = BaseLock("ubuntu-22.04", "image", digest, {}, "")
    assert base_name(make_variant(base=image_base(reference)), lock) == expected


def test_an_image_that_was_never_locked_is_named_as_the_matrix_names_it(
    make_variant: Callable[..., Variant],
) -> None:
    pinned = str(Reference("", "ubuntu", "22.04", Digest("d" * 64)))
    assert base_name(make_variant(base=image_base("ubuntu:22.04")), None) == "ubuntu:22.04"
    assert base_name(make_variant(base=image_base(pinned)), None) == pinned


def test_a_template_of_the_recipe_overrides_blocks_of_ours(
    render: Callable[..., Make], make_recipe: Callable[..., Recipe]
) -> None:
    template = (
        '{% extends "Dockerfile.j2" %}'
        "{% block environment %}{{ super() }}EXPOSE {{ 8000 + 80 }}\n{% endblock %}"
    )
    recipe = make_recipe(template="own.j2")
    ours, own = render(recipe)["Dockerfile"], render(recipe, template=template)["Dockerfile"]
    assert own.replace("EXPOSE 8080\n", "") == ours
    assert own != ours


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("FROM {{ bse }}", r"'bse' is undefined"),
        ("FROM x\n{% for %}", r"own\.j2:2 can't be rendered for digits/cpu-py3\.11-debian12: .+"),
        ('{% extends "nothing.j2" %}', r"nothing\.j2"),
        ("{{ 1 / 0 }}", r"division by zero"),
        ("{{ 1 + '1' }}", r"unsupported operand"),
        ("{{ env.__class__.__mro__ }}", r"unsafe"),
        ("{{ env[7] | string }}", r"has no element 7"),
        ("{{ '%d' % 'x' }}", r"%d format"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", r"recursion"),
        (
            '{% extends "Dockerfile.j2" %}\n{% block label %}LABEL a="b"{% endblock %}',
            r"own\.j2:2 .+: there is no block 'label'; did you mean 'labels'\?",
        ),
        ("{{ 'a b' | plain_word }}", r"'a b' is not a plain word"),
    ],
)
def test_a_template_that_is_wrong_is_an_error_that_names_it(
    render: Callable[..., Make],
    make_recipe: Callable[..., Recipe],
    template: str,
    message: str,
) -> None:
    with pytest.raises(TwinforgeError, match=message) as caught:
        render(make_recipe(template="own.j2"), template=template)
    assert caught.value.message.startswith("own.j2")


def test_a_template_that_reaches_out_of_the_sandbox_is_refused(
    render: Callable[..., Make], make_recipe: Callable[..., Recipe]
) -> None:
    template = "{{ ''.format.__globals__ }}"
    with pytest.raises(TwinforgeError, match="unsafe"):
        render(make_recipe(template="own.j2"), template=template)


def test_a_value_that_does_not_fit_names_the_variant_and_itself(
    render: Callable[..., Make], make_recipe: Callable[..., Recipe]
) -> None:
    with pytest.raises(
        TwinforgeError,
        match=r"^Dockerfile\.j2 can't be rendered for digits/cpu-py3\.11-debian12: 'a\\nb' holds",
    ):
        render(make_recipe(env={"A": "a\nb"}))


def test_the_blocks_that_the_page_names_are_all_there_are() -> None:
    page = (Path(__file__).parents[3] / "docs/matrix.md").read_text("utf-8")
    (named,) = re.findall(r"replaces blocks of\s+the Dockerfile: ([^;]+);", page)
    assert re.findall(r"`(\w+)`", named) == list(_shipped().get_template("Dockerfile.j2").blocks)
