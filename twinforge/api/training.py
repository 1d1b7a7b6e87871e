"""``train`` and ``model fetch``: a release learns, and what it has learned comes home."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.api.hosting import model_address
from twinforge.events import Event, State
from twinforge.sagemaker.archive import extract_model
from twinforge.sagemaker.place import Place
from twinforge.sagemaker.train import Trained, follow, start
from twinforge.sagemaker.training import Job, plan_training
from twinforge.sagemaker.upload import Upload, plan_upload, upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.api.services import Services
    from twinforge.events import Listener
    from twinforge.sagemaker.request import Request
    from twinforge.sagemaker.select import Selected

__all__ = ["TrainingPlan", "fetch_model", "plan", "train"]

_INPUT = "twinforge-input/"


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is sent to S3 first, and then to SageMaker."""

    uploads: tuple[Upload, ...]
    request: Request

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge train --dry-run`` prints it."""
        return {
            "uploads": [
                {
                    "channel": one.channel,
                    "to": str(one.place),
                    "files": len(one.files),
                    "bytes": one.total_bytes,
                }
                for one in self.uploads
            ],
            "requests": [self.request.as_json()],
        }


def plan(selected: Selected, channels: Mapping[str, str], job: Job) -> TrainingPlan:
    """Return what a training job needs; reads the local folders and sends nothing.

    Args:
        selected: The image and the instance type.
        channels: An S3 address, or a folder or file of this machine, by the channel's name.
        job: How it runs; local data goes below its output.

    Raises:
        UsageError: A channel is no address and no folder with files.
        TwinforgeError: SageMaker would not take the request.
    """
    uploads = []
    places: dict[str, Place] = {}
    for name, text in channels.items():
        if text.startswith("s3://"):
            places[name] = Place.parse(text)
            continue
        found = plan_upload(name, Path(text), job.output.below(_INPUT))
        uploads.append(found)
        places[name] = found.place
    return TrainingPlan(tuple(uploads), plan_training(selected, places, job))


def train(planned: TrainingPlan, services: Services, *, listener: Listener, wait: bool) -> Trained:
    """Send the data, start the job, and follow it to its end.

    Raises:
        TrainError: The job failed or was stopped.
        AwsError: AWS said no, or could not be used.
    """
    for one in planned.uploads:
        upload(services.storage, one, listener=listener)
    means = services.means("train", listener)
    started = start(means, planned.request)
    return follow(means, started.name) if wait else started


def fetch_model(
    services: Services, source: str, folder: Path, *, max_bytes: int, listener: Listener
) -> tuple[str, ...]:
    """Download a model and unpack it into a folder; return the names of its files.

    Args:
        services: AWS.
        source: The S3 address of a ``model.tar.gz``, or the training job that left it.
        folder: New or empty.
        max_bytes: How big the model may be, unpacked.
        listener: Told of the bytes.

    Raises:
        UsageError: There is no such job or object, or the folder holds something.
        TwinforgeError: The archive is damaged, too big, or holds what could leave the folder.
    """
    place = Place.parse(model_address(services.sagemaker, source))
    size = services.storage.sizes(place).get(place.key, 0)
    done = 0

    def moved(count: int) -> None:
        nonlocal done
        done += count
        listener(Event("fetch", str(place), State.PROGRESS, "", done, size, "bytes"))

    listener(Event("fetch", str(place), State.STARTED, "", 0, size, "bytes"))
    with tempfile.TemporaryDirectory(prefix="twinforge-") as scratch:
        archive = Path(scratch) / "model.tar.gz"
        services.storage.download(place, archive, moved)
        names = extract_model(archive, folder, max_bytes=max_bytes)
    listener(Event("fetch", str(place), State.DONE, f"{len(names)} files in {folder}"))
    return names
