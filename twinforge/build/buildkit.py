"""Building one image by ``docker buildx build``: the only module that runs buildx.

docker-py has no BuildKit, hence the command line. Nothing secret is in an argv: secrets are files,
and a proxy's value is taken by buildx from the environment.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from twinforge import process
from twinforge.build.progress import BuildProgress, Failure
from twinforge.engine.images import FOREIGN
from twinforge.errors import BuildError, CommandError, UsageError
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from twinforge.engine.engine import Engine

__all__ = ["BuildSpec", "Builder", "Buildx", "VariantFailedError", "build_argv", "secret_field"]

_SETTINGS = {
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    "BUILDX_GIT_INFO": "0",  # it asks git seven times for what only attestations would say
}
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """All that one build takes.

    Attributes:
        name: The variant's id.
        folder: The context, with its ``Dockerfile``.
        contexts: Named contexts: name -> folder or address.
        secrets: Id of a secret -> the file that holds it.
        labels: Added to those of the Dockerfile.
        tags: References that the image gets once it is complete.
        epoch: Its time, in seconds since 1970.
        platform: What its lock is resolved for, whatever machine builds.
    """

    name: str
    folder: Path
    contexts: Mapping[str, str]
    secrets: Mapping[str, Path]
    labels: Mapping[str, str]
    tags: tuple[str, ...]
    epoch: int
    platform: str = "linux/amd64"


class VariantFailedError(BuildError):
    """One variant did not build; ``failure`` says where."""

    def __init__(self, message: str, failure: Failure, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.failure = failure


class Builder(Protocol):
    """Makes images. The real one is :class:`Buildx`; a dry run and tests have their own."""

    def build(
        self,
        spec: BuildSpec,
        *,
        log: Callable[[str], None],
        on_step: Callable[[str, int, int], None],
        cancelled: threading.Event,
    ) -> str:
        """Build and return the image id (``sha256:...``)."""
        ...


@dataclass(frozen=True, slots=True)
class Buildx:
    """Builds with an engine's buildx.

    Attributes:
        engine: Whose buildx it is.
        builder: Names a builder other than the current one.
        turn: Held while an image goes from the build cache into the engine, for builds side by side
            on an engine that keeps its layers itself. Such an engine hashes a layer of two images
            twice when both arrive at once, never frees its second reference to it, and then writes
            the files of a layer upon it in another order, which gives another digest.
        leads: Whether this one takes its turn at the start, and the others wait for it.
    """

    engine: Engine
    builder: str = ""
    turn: threading.Lock | None = None
    leads: bool = False

    def driver(self) -> str:
        """Return the driver of the builder: ``docker``, ``docker-container``, ...

        Raises:
            UsageError: There is no builder of this name.
            CommandError: The engine's own can't be asked.
        """
        argv = [self.engine.docker, "buildx", "inspect", *([self.builder] if self.builder else [])]
        try:
            shown = process.run(argv, env=self.engine.env).stdout
        except CommandError as error:
            if not self.builder:
                raise
            reason = error.output.strip().rpartition("\n")[2].removeprefix("ERROR: ")
            message = f"the builder {show_value(self.builder)} can't be used: {reason}"
            raise UsageError(message, hint="`docker buildx ls` lists the builders") from error
        for line in shown.splitlines():
            name, _, value = line.partition(":")
            if name == "Driver":
                return value.strip()
        return "docker"

    def build(
        self,
        spec: BuildSpec,
        *,
        log: Callable[[str], None],
        on_step: Callable[[str, int, int], None],
        cancelled: threading.Event,
    ) -> str:
        """Build, load the image into the engine and return its id.

        Raises:
            VariantFailedError: The build failed or was cancelled.
        """
        progress = BuildProgress(log, on_step)
        with tempfile.TemporaryDirectory(prefix="twinforge-") as scratch:
            metadata = Path(scratch) / "metadata.json"
            if self.turn is not None and not self.leads:
                self._run(spec, None, progress, cancelled)
            with self.turn or nullcontext():
                self._run(spec, metadata, progress, cancelled)
            document = json.loads(metadata.read_text("utf-8"))
        image_id = document.get("containerimage.config.digest")
        return str(image_id or document["containerimage.digest"])

    def _run(
        self,
        spec: BuildSpec,
        metadata: Path | None,
        progress: BuildProgress,
        cancelled: threading.Event,
    ) -> None:
        argv = build_argv(
            spec,
            docker=self.engine.docker,
            builder=self.builder,
            metadata=metadata,
            proxies=tuple(
                name
                for upper in _PROXIES
                for name in (upper, upper.lower())
                if self.engine.env.get(name)
            ),
        )
        status = process.stream(
            argv,
            on_line=progress.feed,
            env={**self.engine.env, **_SETTINGS},
            cancelled=cancelled,
            check=False,
        )
        if cancelled.is_set() and status < 0:  # else it ended by itself, just before
            message = f"{spec.name} was cancelled"
            raise VariantFailedError(message, Failure("", 0, "cancelled", ""))
        if status:
            failure = progress.failure()
            foreign = FOREIGN in f"{failure.message} {failure.output}"
            hint = (
                f"the builder runs no {spec.platform}: install an emulator for it (binfmt and QEMU) "
                "on the engine's machine, or name a builder on such a machine with --builder"
            )
            message = _failed_message(spec, failure)
            raise VariantFailedError(message, failure, hint=hint if foreign else "")


def build_argv(
    spec: BuildSpec,
    *,
    docker: str,
    builder: str,
    metadata: Path | None,
    proxies: tuple[str, ...] = (),
) -> list[str]:
    """Return the whole command of a build. Pure, so that a dry run can show it.

    Args:
        spec: What is built.
        docker: The command line client.
        builder: A builder other than the current one, or empty.
        metadata: The file that gets the image's id; None only fills the build cache.
        proxies: Names of variables whose values buildx takes from its environment.
    """
    argv = [docker, "buildx", "build", "--progress=rawjson", "--provenance=false", "--sbom=false"]
    if builder:
        argv += ["--builder", builder]
    argv += ["--platform", spec.platform]
    if metadata is None:
        argv += ["--output", "type=cacheonly"]
    else:
        argv += ["--load", "--metadata-file", str(metadata)]
    argv += ["--build-arg", f"SOURCE_DATE_EPOCH={spec.epoch}"]
    for name in proxies:
        argv += ["--build-arg", name]
    for name, value in spec.contexts.items():
        argv += ["--build-context", f"{name}={value}"]
    for name, file in spec.secrets.items():
        argv += ["--secret", secret_field(name, file)]
    for name, value in spec.labels.items():
        argv += ["--label", f"{name}={value}"]
    if metadata is not None:  # a name is for what leaves the cache
        for tag in spec.tags:
            argv += ["--tag", tag]
    return [*argv, str(spec.folder)]


def secret_field(name: str, file: Path) -> str:
    """Return a secret as buildx reads it: its id, and the file that holds it."""
    return f"id={name},{_csv_field(f'src={file}')}"


def _failed_message(spec: BuildSpec, failure: Failure) -> str:
    """Return where a build failed and why, with the last line that the failed step printed."""
    where = f" in stage '{failure.stage}'" if failure.stage else ""
    line = f", {spec.folder.name}/Dockerfile:{failure.line}" if failure.line else ""
    reason = failure.message or "no reason given"
    printed = failure.output.strip().rpartition("\n")[2]
    return f"{spec.name} failed{where}{line}: {reason}{f': {printed}' if printed else ''}"


def _csv_field(text: str) -> str:
    """Return a field as buildx reads it: a path may hold what separates fields."""
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if "," in text or '"' in text else text
