"""What the two images of a recipe are: the same but for the twin, in the same layers, and clean."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.workbench import docker, machine_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Built
    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

CPU, CUDA = "cpu-py3.11-debian12", "cu129-py3.11-debian12"
TWINS = {"xgboost", "xgboost-cpu"}
LIST_INSTALLED = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.name.lower().replace('_', '-'): d.version for d in m.distributions()}))"
)
CACHES = ("var/cache/uv/", "root/.cache/", "var/cache/apt/archives/", "var/lib/apt/lists/")
LEFT_OVER = ("usr/local/bin/uv", "run/secrets/", "run/layers/", "opt/venv/bin/pip")


SYSTEM_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an image, by path: sizes, and the digests of those of a certain size."""

    sizes: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


def inspect(image: str) -> dict[str, Any]:
    (found,) = json.loads(docker("image", "inspect", image))
    assert isinstance(found, dict)
    return found


def installed(image: str) -> dict[str, str]:
    """What ``pip list`` would say, asked without a network."""
    answer = docker("run", "--rm", "--network", "none", image, "python", "-c", LIST_INSTALLED)
    versions = json.loads(answer)
    assert isinstance(versions, dict)
    return versions


def files_of(image: str, *, digests_of: set[int]) -> Files:
    """Every file of every layer, those below a later one too; ``digests_of`` are sizes."""
    found = Files()
    with (
        subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving,
        tarfile.open(fileobj=saving.stdout, mode="r|") as archive,
    ):
        for member in archive:
            blob = archive.extractfile(member) if member.isfile() else None
            start = blob.read(tarfile.BLOCKSIZE) if blob else b""
            if blob is None or start[257:262] != b"ustar":
                continue
            with tarfile.open(fileobj=Joined(start, blob), mode="r|") as layer:
                for file in layer:
                    if not file.isfile():
                        continue
                    found.sizes[file.name] = file.size
                    content = layer.extractfile(file) if file.size in digests_of else None
                    if content is not None:
                        digest = hashlib.sha256(content.read()).hexdigest()
                        found.digests[file.name] = digest
    return found


class Joined(io.RawIOBase):
    """The bytes that were read already, and then the rest."""

    def __init__(self, start: bytes, rest: Any) -> None:
        self._start = start
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._start:
            head, self._start = self._start[:size], self._start[size:]
            return head
        data: bytes = self._rest.read(size)
        return data


def test_both_images_hold_the_same_versions_of_all_but_the_twin(built: Built) -> None:
    cpu, cuda = installed(built.ids[CPU]), installed(built.ids[CUDA])
    assert cpu["xgboost-cpu"] == cuda["xgboost"]
    brought_by_cuda = {name for name in cuda if name.startswith("nvidia-")}
    assert cpu.keys() - TWINS == cuda.keys() - TWINS - brought_by_cuda
    assert {name: cpu[name] for name in cpu.keys() - TWINS} == {
        name: cuda[name] for name in cpu.keys() - TWINS
    }
    assert {"numpy", "scikit-learn", "pandas"} <= cpu.keys()


def test_what_is_installed_is_what_is_locked(digits: Project, built: Built) -> None:
    lock = json.loads(digits.read("images/digits/lock.json"))
    for variant in lock["variants"]:
        locked = {wheel["name"]: wheel["version"] for wheel in variant["wheels"]}
        assert installed(built.ids[variant["slug"]]) == locked


def test_both_images_share_the_layers_of_all_that_is_common(digits: Project, built: Built) -> None:
    cpu, cuda = (inspect(built.ids[slug])["RootFS"]["Layers"] for slug in (CPU, CUDA))
    common = [
        layer
        for layer in json.loads(digits.read(f"images/digits/variants/{CPU}/variant.json"))["layers"]
        if layer["group"] == "common"
    ]
    assert len(common) >= 5
    # Beside the common wheels: the base, the system packages, the empty environment, the program.
    assert len(set(cpu) & set(cuda)) == len(common) + 4
    # Its own list of wheels, the twin, and what only that needs.
    assert len(set(cuda) - set(cpu)) == 3


def test_no_image_has_a_command_or_an_entrypoint_of_its_own(built: Built) -> None:
    for slug in (CPU, CUDA):
        config = inspect(built.ids[slug])["Config"]
        assert not config.get("Cmd")
        assert not config.get("Entrypoint")
        assert config["Env"][0].startswith("PATH=/program:/opt/venv/bin:")


def test_the_labels_say_what_an_image_is(digits: Project, built: Built, version: str) -> None:
    keys = {node["variant"]: node["key"] for node in digits.json("plan")}
    for slug, accelerator in ((CPU, "cpu"), (CUDA, "cu129")):
        labels = inspect(built.ids[slug])["Config"]["Labels"]
        dockerfile = digits.read(f"images/digits/variants/{slug}/Dockerfile")
        assert f'io.twinforge.lock="{labels.pop("io.twinforge.lock")}"' in dockerfile
        assert labels.pop("io.twinforge.cuda", "") == ("12.9" if accelerator == "cu129" else "")
        assert labels == {
            "io.twinforge.accelerator": accelerator,
            "io.twinforge.key": keys[f"digits/{slug}"],
            "io.twinforge.recipe": "digits",
            "io.twinforge.variant": slug,
            "org.opencontainers.image.description": "Handwritten digits, gradient-boosted trees.",
            "org.opencontainers.image.title": "digits",
            "org.opencontainers.image.version": version,
        }


def test_nothing_of_the_build_stays_in_an_image(built: Built, marked_bundle: Path) -> None:
    bundles = [path.read_bytes() for path in (marked_bundle, machine_bundle())]
    files = files_of(built.ids[CUDA], digests_of={len(bundle) for bundle in bundles})
    assert "program/train" in files.sizes
    assert "var/lib/dpkg/status" in files.sizes
    assert [name for name in files.sizes if name.startswith((*CACHES, *LEFT_OVER))] == []
    assert [
        name for name, size in files.sizes.items() if size and name.endswith((".log", "-old"))
    ] == []
    # The base brings a bundle of its own, which can be the machine's, byte for byte.
    files.digests.pop(SYSTEM_BUNDLE, None)
    forbidden = {hashlib.sha256(bundle).hexdigest() for bundle in bundles}
    assert [name for name, digest in files.digests.items() if digest in forbidden] == []


def test_the_history_holds_neither_the_builds_bundle_nor_a_proxy(
    built: Built, marked_bundle: Path
) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", built.ids[CUDA])
    assert "uv pip install" not in history  # that was in another stage
    assert str(marked_bundle) not in history
    assert "PROXY" not in history.upper()
