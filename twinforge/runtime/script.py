"""Script mode: an entry point that a notebook sends along, in place of the image's trainer.

Nothing is installed. Source of arguments and ``SM_`` variables: sagemaker-training (``mapping.py``,
``environment.py`` and ENVIRONMENT_VARIABLES.md), for which such scripts are written.
"""

from __future__ import annotations

import ast
import json
import lzma
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from twinforge.runtime.job import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.runtime.job import Job

__all__ = ["Script", "find_script", "script_arguments", "script_environment"]

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Script:
    """An entry point: its file, and the folder of the code that it came with."""

    path: Path
    folder: Path

    @property
    def is_trainer(self) -> bool:
        """Whether it defines ``train`` for the runtime to call, and is no program by itself."""
        if self.path.suffix != ".py":
            return False
        try:
            tree = ast.parse(self.path.read_bytes())
        except (SyntaxError, ValueError):
            return False  # running it says where
        defines = any(
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "train"
            for node in tree.body
        )
        names = (
            node for one in tree.body if isinstance(one, ast.If) for node in ast.walk(one.test)
        )
        is_program = any(isinstance(node, ast.Name) and node.id == "__name__" for node in names)
        return defines and not is_program


def find_script(
    settings: Mapping[str, str], environ: Mapping[str, str], root: Path
) -> Script | None:
    """Return the entry point that a job names, with its code fetched; None where it names none.

    Args:
        settings: SageMaker's own hyperparameters.
        environ: The environment, whose upper-case names say the same.
        root: ``/opt/ml``; code goes to ``code`` in it.

    Raises:
        JobError: It is not there, or can't be had.
    """

    def said(name: str) -> str:
        return settings.get(name, "") or environ.get(name.upper(), "")

    program, source = said("sagemaker_program"), said("sagemaker_submit_directory")
    if not program:
        return None
    if PurePosixPath(program).is_absolute() or ".." in PurePosixPath(program).parts:
        message = f"the program '{program}' is not a path inside its folder"
        raise JobError(message)
    folder = _code_folder(source, root)
    path = folder / program
    if not path.is_file():
        message = f"the program '{program}' is not in '{source or folder}'"
        raise JobError(message)
    if path.suffix not in (".py", ".sh"):
        message = f"the program '{program}' is neither a Python file nor a shell script"
        raise JobError(message)
    return Script(path, folder)


def script_arguments(values: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters as a script gets them: ``--name value``, ``-n value``.

    >>> script_arguments({"lr": 0.1, "n": 3})
    ['--lr', '0.1', '-n', '3']
    """
    arguments = []
    for name, value in values.items():
        text = json.dumps(value) if isinstance(value, (list, dict)) else str(value)
        arguments += [f"{'-' if len(name) == 1 else '--'}{name}", text]
    return arguments


def script_environment(job: Job, script: Script) -> dict[str, str]:
    """Return the ``SM_`` variables that scripts for SageMaker's own containers read."""
    resources = job.resources
    channels = {name: str(channel.path) for name, channel in job.channels.items()}
    hyperparameters = dict(job.hyperparameters)
    return {
        "SM_MODEL_DIR": str(job.model_dir),
        "SM_INPUT_DIR": str(job.root / "input"),
        "SM_INPUT_CONFIG_DIR": str(job.root / "input/config"),
        "SM_OUTPUT_DIR": str(job.root / "output"),
        "SM_OUTPUT_DATA_DIR": str(job.output_dir),
        "SM_MODULE_DIR": str(script.folder),
        "SM_MODULE_NAME": script.path.stem,
        "SM_USER_ENTRY_POINT": script.path.name,
        "SM_USER_ARGS": json.dumps(script_arguments(hyperparameters)),
        "SM_HPS": json.dumps(hyperparameters),
        "SM_CHANNELS": json.dumps(list(channels)),
        "SM_CURRENT_HOST": resources.current_host,
        "SM_CURRENT_INSTANCE_TYPE": resources.instance_type,
        "SM_HOSTS": json.dumps(list(resources.hosts)),
        "SM_NETWORK_INTERFACE_NAME": resources.network_interface,
        "SM_NUM_CPUS": str(resources.cores),
        "SM_NUM_GPUS": str(resources.gpus),
        **{f"SM_CHANNEL_{name.upper()}": path for name, path in channels.items()},
        **{
            f"SM_HP_{name.upper()}": text
            for name, text in zip(
                hyperparameters, script_arguments(hyperparameters)[1::2], strict=True
            )
        },
    }


def _code_folder(source: str, root: Path) -> Path:
    if not source:
        channel = root / "input/data/code"
        return channel if channel.is_dir() else root / "code"
    if source.startswith("s3://"):
        return _fetched(source, root)
    path = Path(source)
    if path.is_dir():
        return path
    if path.is_file():
        return _unpacked(path, _new_folder(root))
    message = f"the submit directory '{source}' does not exist"
    raise JobError(message)


def _fetched(source: str, root: Path) -> Path:
    try:
        import boto3  # noqa: PLC0415 - only where the image has it
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ImportError as error:
        message = (
            f"the code at '{source}' needs boto3, which this image has not and nothing is installed "
            "at start: add boto3 to the recipe's packages"
        )
        raise JobError(message) from error
    bucket, _, key = source.removeprefix("s3://").partition("/")
    folder = _new_folder(root)
    try:
        client = boto3.client("s3")
        if key.endswith((".tar.gz", ".tgz")):
            with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
                client.download_fileobj(bucket, key, archive)
                archive.flush()
                return _unpacked(Path(archive.name), folder)
        _download_folder(client, bucket, f"{key.rstrip('/')}/", folder)
    except (BotoCoreError, ClientError) as error:
        message = f"the code at '{source}' can't be fetched: {error}"
        raise JobError(message) from error
    return folder


def _download_folder(client: Any, bucket: str, prefix: str, folder: Path) -> None:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            name = PurePosixPath(item["Key"].removeprefix(prefix))
            if item["Key"].endswith("/") or not name.parts:
                continue
            if name.is_absolute() or ".." in name.parts:
                message = f"the object '{item['Key']}' leads outside its folder"
                raise JobError(message)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, item["Key"], str(target))


def _unpacked(archive: Path, folder: Path) -> Path:
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            for member in members:
                name = PurePosixPath(member.name)
                if (
                    name.is_absolute()
                    or ".." in name.parts
                    or not (member.isfile() or member.isdir())
                ):
                    message = f"the archive holds '{member.name}', which is no file inside of it"
                    raise JobError(message)
            for member in members:
                target = folder / member.name
                content = tar.extractfile(member)
                if content is None:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
                target.chmod(0o755 if member.mode & 0o111 else 0o644)
            # A checksum comes last, behind the archive's end.
            while tar.fileobj is not None and tar.fileobj.read(_READ_BYTES):
                pass
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        message = f"the archive '{archive.name}' can't be unpacked: {error}"
        raise JobError(message) from error
    return folder


def _new_folder(root: Path) -> Path:
    folder = root / "code"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="code-"))
