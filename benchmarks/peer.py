"""The other way: two hand-written Dockerfiles with the same pins, built by one ``bake``."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.build.bases import make_base
from twinforge.events import ignore
from twinforge.lock.requirements import requirements_text
from twinforge.model.matrix import Bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.bench import Bench
    from benchmarks.pair import Pair

__all__ = ["IMAGES", "SWAP", "Peer", "minimal_base", "write_peer"]

IMAGES = {"cpu": "twinforge-bench:cpu", "cuda": "twinforge-bench:cuda"}
SWAP = "twinforge-bench:swap"
_SOURCE = Path(__file__).parent / "handwritten"


@dataclass(frozen=True, slots=True)
class Peer:
    """A folder with the Dockerfiles, the program and the pins, and the base they stand on."""

    bench: Bench
    folder: Path
    base: str

    def build(self, *targets: str) -> float:
        """Build the pair, or the targets that are named; return the seconds."""
        argv = [self.bench.engine.docker, "buildx", "bake", "--progress", "plain", *targets]
        return self.bench.timed(argv, cwd=self.folder, env=self._variables()).seconds

    def push(self, host: str) -> float:
        """Push both images, at once as they share what is common; return the seconds."""
        names = {image: f"{host}/{image}" for image in IMAGES.values()}
        for image, name in names.items():
            self.bench.docker("image", "tag", image, name)
        start_s = time.perf_counter()
        try:
            with ThreadPoolExecutor(len(names)) as pool:
                list(
                    pool.map(
                        lambda name: self.bench.docker("push", "--quiet", name), names.values()
                    )
                )
            return time.perf_counter() - start_s
        finally:
            for name in names.values():
                self.bench.docker("image", "rm", name)

    def push_again(self, host: str) -> float:
        """Push both once more; the engine remembers what it sent where. Return the seconds."""
        return self.push(host)

    def forget(self) -> None:
        """Remove the images from the engine."""
        self.bench.remove_images((*IMAGES.values(), SWAP))

    def edit_program(self, text: str) -> None:
        """Append a comment to a module of the program."""
        folder = self.folder / "program"
        module = min(path for path in folder.rglob("*.py") if path.name != "__init__.py")
        with module.open("a", encoding="utf-8") as stream:
            stream.write(f"# {text}\n")

    def _variables(self) -> Mapping[str, str]:
        return {
            "BASE": self.base,
            "CA": str(self.bench.ca or ""),
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }


def minimal_base(bench: Bench, pair: Pair) -> str:
    """Return the reference of our base without the packages that it was declared with.

    Raises:
        BuildError: It can't be made.
        TypeError: The base is an image of a registry.
    """
    base = pair.cpu.base
    if not isinstance(base.source, Bootstrap):
        message = f"the base '{base.name}' is not bootstrapped"
        raise TypeError(message)
    bare = replace(base, name=f"{base.name}-bare", source=replace(base.source, packages=()))
    made = make_base(
        bare,
        None,
        engine=bench.engine,
        cache_dir=bench.scratch / "cache",
        listener=ignore,
        locked=False,
    )
    return made.reference


def write_peer(bench: Bench, name: str, pair: Pair, program: Path, base: str) -> Peer:
    """Write the folder of the hand-written pair with the pins of a lock.

    Args:
        bench: The run.
        name: The folder's, in the scratch folder.
        pair: What is locked.
        program: The program's folder.
        base: Reference of the base in the engine.
    """
    folder = bench.scratch / name
    shutil.copytree(_SOURCE, folder)
    shutil.copytree(program, folder / "program", ignore=shutil.ignore_patterns("__pycache__"))
    device = {
        "cpu": [wheel for wheel in pair.cpu_lock.wheels if wheel.group == "device"],
        "cuda": [wheel for wheel in pair.cuda_lock.wheels if wheel.group == "device"],
    }
    texts = {
        "requirements-cpu.txt": requirements_text(pair.cpu_lock.wheels),
        "requirements-cuda.txt": requirements_text(pair.cuda_lock.wheels),
        "swap-out.txt": "".join(f"{wheel.name}\n" for wheel in device["cuda"]),
        "swap-in.txt": requirements_text(device["cpu"]),
    }
    for file, text in texts.items():
        (folder / file).write_text(text, "utf-8")
    return Peer(bench, folder, base)
