"""Locking with the real uv: against the default index, and against one made here."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from twinforge.errors import LockError
from twinforge.lock.document import read_recipe_lock, recipe_lock_path, write_recipe_lock
from twinforge.lock.parity import parity_problems
from twinforge.lock.requirements import requirements_text
from twinforge.lock.resolve import Conflict, Target, Upgrade, lock_recipe
from twinforge.lock.uv import UvResolver
from twinforge.lock.uv_question import index_name
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import Package, Recipe, Smoke, SystemPackages, Twin
from twinforge.model.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from twinforge.lock.document import RecipeLock
    from twinforge.lock.locked import Deb
    from twinforge.model.recipe import AptPackage

pytestmark = pytest.mark.engine

TARGET = Target("3.11", "2.36")
XGBOOST = Twin({"cpu": "xgboost-cpu", "cuda": "xgboost"}, "", Place("recipes/digits.yaml", 9, 7))
DIGITS = ("numpy", "pandas", "scikit-learn>=1.5", "gunicorn")
CPU, CUDA = "cpu-py3.11", "cu129-py3.11"


class NoApt:
    def closure(self, variant: Variant, packages: Sequence[AptPackage]) -> tuple[Deb, ...]:
        raise AssertionError(variant, packages)


def recipe_of(*packages: str | Twin) -> Recipe:
    place = Place("recipes/digits.yaml", 1, 1)
    return Recipe(
        name="digits",
        version="1.0.0",
        description="",
        packages=tuple(
            one if isinstance(one, Twin) else Package(Requirement(one), place) for one in packages
        ),
        indexes=(),
        parity_exempt={},
        system=SystemPackages((), ()),
        steps=(),
        program="images/digits/program",
        env={},
        template="",
        smoke=Smoke(None, (), 30),
        place=place,
    )


def pair() -> tuple[Variant, ...]:
    place = Place("matrix.yaml", 1, 1)
    base = Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), place)
    return tuple(
        Variant(
            "digits",
            "1.0.0",
            (("accelerator", name), ("python", "3.11")),
            Accelerator(name, cuda, "", (), place),
            base,
            "3.11",
        )
        for name, cuda in (("cpu", ""), ("cu129", "12.9"))
    )


def locked(
    recipe: Recipe, previous: RecipeLock | None = None, environment: Mapping[str, str] = os.environ
) -> RecipeLock:
    return lock_recipe(
        recipe,
        pair(),
        resolver=UvResolver(environment),
        apt=NoApt(),
        previous=previous,
        upgrade=Upgrade(),
        glibc=lambda _: "2.36",
    )


@pytest.fixture(scope="module")
def digits() -> RecipeLock:
    return locked(recipe_of(*DIGITS, XGBOOST))


def test_the_pair_has_equal_versions_and_equal_files_outside_its_twins(digits: RecipeLock) -> None:
    assert parity_problems(digits.variants, [XGBOOST], []) == ()
    cpu = {wheel.name: wheel for wheel in digits.variant(CPU).wheels}
    cuda = {wheel.name: wheel for wheel in digits.variant(CUDA).wheels}
    for name in ("numpy", "scipy", "pandas", "scikit-learn", "gunicorn"):
        assert cpu[name] == cuda[name]
        assert cpu[name].group == "common"
    assert cpu["xgboost-cpu"].version == cuda["xgboost"].version
    assert cpu["xgboost-cpu"].group == cuda["xgboost"].group == "device"
    assert {name for name in cuda if name not in cpu} >= {"xgboost"}
    assert not [name for name in cpu if name.startswith("nvidia")]


def test_locking_again_gives_the_same_bytes(digits: RecipeLock, tmp_path: Path) -> None:
    recipe = recipe_of(*DIGITS, XGBOOST)
    texts = set()
    for lock in (digits, locked(recipe, digits), locked(recipe)):
        write_recipe_lock(tmp_path, lock)
        texts.add(recipe_lock_path(tmp_path, "digits").read_bytes())
    assert len(texts) == 1
    assert read_recipe_lock(tmp_path, "digits") == digits


def test_the_lock_says_nothing_of_where_wheels_came_from(
    digits: RecipeLock, tmp_path: Path
) -> None:
    write_recipe_lock(tmp_path, digits)
    assert "://" not in recipe_lock_path(tmp_path, "digits").read_text()
    assert "://" not in requirements_text(digits.variant(CUDA).wheels)


def test_settings_of_this_machine_change_nothing(digits: RecipeLock, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9/simple"
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(f'index-url = "{nowhere}"\n')
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {nowhere}\n")
    environment = {
        **os.environ,
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_INDEX_URL": nowhere,
        "PYTHONPATH": str(tmp_path),
        "UV_CONFIG_FILE": str(tmp_path / "uv" / "uv.toml"),
        "UV_DEFAULT_INDEX": nowhere,
        "UV_INDEX_URL": nowhere,
        "UV_PYTHON": "3.99",
        "UV_RESOLUTION": "lowest",
        "VIRTUAL_ENV": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    assert locked(recipe_of(*DIGITS, XGBOOST), environment=environment) == digits


def test_a_version_that_needs_a_newer_python_is_named_with_its_line() -> None:
    twin = Twin(XGBOOST.names, "==3.4.1", XGBOOST.place)
    with pytest.raises(LockError) as caught:
        locked(recipe_of("numpy", twin))
    assert caught.value.message.startswith(
        "recipes/digits.yaml:9:7: 'xgboost-cpu==3.4.1' of digits/cpu-py3.11 has no answer for "
        "Python 3.11 on x86-64 Linux with glibc 2.36: Because "
    )
    assert "Python>=3.12" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_package_without_wheels_is_named() -> None:
    with pytest.raises(LockError) as caught:
        locked(recipe_of("numpy", "docopt"))
    assert "'docopt' of digits/cpu-py3.11 has no answer" in caught.value.message
    assert "only wheels that fit are taken" in caught.value.hint


def test_what_prevents_parity_is_named() -> None:
    twin = Twin({"cpu": "xgboost-cpu", "cuda": "scipy"}, "", XGBOOST.place)
    with pytest.raises(LockError) as caught:
        locked(recipe_of("numpy", twin))
    assert caught.value.message.startswith("recipes/digits.yaml:9:7: the twins 'scipy' and 'xgb")


def test_wheels_fit_the_target_and_not_this_machine() -> None:
    old = UvResolver(os.environ).compile(
        ["numpy"], ["numpy==2.2.6"], Target("3.13", "2.17"), preferences={}, indexes=()
    )
    assert isinstance(old, tuple)
    assert [one.filename for one in old] == [
        "numpy-2.2.6-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    ]


def test_of_several_wheels_that_fit_the_most_specific_is_locked() -> None:
    found = UvResolver(os.environ).compile(
        ["charset-normalizer==3.4.4"], [], TARGET, preferences={}, indexes=()
    )
    assert isinstance(found, tuple)
    assert [one.filename.split("-")[2:4] for one in found] == [["cp311", "cp311"]]


class PrivateIndex(SimpleHTTPRequestHandler):
    """Serves a folder to whoever knows the password."""

    def do_GET(self) -> None:
        expected = "Basic " + base64.b64encode(b"me:hush").decode()
        if self.headers.get("Authorization") == expected:
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="wheels"')
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        del format, args


@pytest.fixture
def private_index(tmp_path: Path) -> Iterator[str]:
    """Serve an index with one wheel, as a static site would: hashes, but no sizes."""
    folder = tmp_path / "simple" / "twinforge-private-test"
    folder.mkdir(parents=True)
    wheel = folder / "twinforge_private_test-1.5-py3-none-any.whl"
    info = "twinforge_private_test-1.5.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: twinforge-private-test\nVersion: 1.5\n",
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "index.html").write_text(f'<a href="{wheel.name}#sha256={sha256}">{wheel.name}</a>')
    handler = partial(PrivateIndex, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


def test_a_private_index_is_asked_beside_the_default_one_with_its_own_credentials(
    private_index: str, tmp_path: Path
) -> None:
    name = index_name(private_index).upper().replace("-", "_")
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        f"UV_INDEX_{name}_USERNAME": "me",
        f"UV_INDEX_{name}_PASSWORD": "hush",
    }
    found = UvResolver(environment).compile(
        ["gunicorn", "twinforge-private-test"], [], TARGET, preferences={}, indexes=[private_index]
    )
    assert isinstance(found, tuple)
    assert [one.name for one in found if one.name in {"gunicorn", "twinforge-private-test"}] == [
        "gunicorn",
        "twinforge-private-test",
    ]
    assert {one.filename for one in found} >= {"twinforge_private_test-1.5-py3-none-any.whl"}


def test_a_private_index_without_credentials_is_no_answer_and_no_secret(
    private_index: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    resolver = UvResolver(environment)
    found = resolver.compile(
        ["twinforge-private-test"], [], TARGET, preferences={}, indexes=[private_index]
    )
    assert isinstance(found, Conflict)
    assert "twinforge-private-test" in found.explanation


def test_what_stays_out_is_left_out_whoever_asks_for_it() -> None:
    resolver = UvResolver(os.environ)

    def names(*without: str) -> set[str]:
        found = resolver.compile(
            ["pandas"], [], TARGET, preferences={}, indexes=(), without=without
        )
        assert isinstance(found, tuple)
        return {one.name for one in found}

    assert names() - names("python-dateutil") >= {"python-dateutil"}
    assert {"numpy", "pandas"} <= names("python-dateutil")


def test_wheels_for_arm64_are_resolved_on_any_machine() -> None:
    resolver = UvResolver(os.environ)
    target = Target("3.12", "2.39", "arm64")
    found = resolver.compile(["numpy==2.2.6"], [], target, preferences={}, indexes=(), without=())
    assert not isinstance(found, Conflict)
    [numpy] = found
    assert (
        numpy.filename == "numpy-2.2.6-cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64.whl"
    )
