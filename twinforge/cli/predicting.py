"""The verb ``predict``: a request to an endpoint."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinforge.cli.aws import account_options, open_account, open_patience, wait_options
from twinforge.errors import UsageError
from twinforge.events import Event, State
from twinforge.sagemaker.aws import AwsService
from twinforge.sagemaker.pending import Pending, collect
from twinforge.sagemaker.place import Place
from twinforge.sagemaker.predict import Endpoint
from twinforge.sagemaker.storage import S3
from twinforge.sagemaker.upload import plan_upload, upload

if TYPE_CHECKING:
    from twinforge.cli.session import Session
    from twinforge.sagemaker.patience import Patience
    from twinforge.sagemaker.storage import Storage

__all__ = ["predict"]

LIMIT_S = 3600.0
"""Of an answer from an asynchronous endpoint: the longest that SageMaker lets it take.

Source: botocore's service model, ``InvocationTimeoutSeconds`` of ``InvokeEndpointAsync``.
"""
CHUNK = 1 << 20


@click.command(
    epilog="\b\nExamples:\n  twinforge predict digits --content-type text/csv row.csv\n"
    "  cat row.csv | twinforge predict digits --content-type text/csv -\n"
    "  twinforge predict digits --content-type text/csv rows.csv --upload s3://bucket/requests\n"
    "  twinforge predict digits --content-type text/csv s3://bucket/rows.csv --no-wait"
)
@click.argument("endpoint")
@click.argument("file", metavar="FILE|-|S3")
@click.option("--content-type", required=True, metavar="TYPE", help="What FILE is.")
@click.option("--accept", default="", metavar="TYPE", help="What the answer shall be.")
@click.option("--target", default="", metavar="VARIANT", help="The production variant to ask.")
@click.option(
    "--upload",
    "below",
    default="",
    metavar="S3",
    help="Ask an asynchronous endpoint: FILE is put below this address first.",
)
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="For an asynchronous answer."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the answer's text and headers as JSON."
)
@wait_options
@account_options
@click.pass_obj
def predict(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    endpoint: str,
    file: str,
    content_type: str,
    accept: str,
    target: str,
    below: str,
    wait: bool,
    as_json: bool,
    poll_s: float,
    limit_s: float,
    region: str,
    profile: str,
) -> None:
    """Send FILE to an endpoint and print the container's answer, byte for byte.

    An asynchronous endpoint reads its requests from S3: it is asked with --upload, or with the
    address of what is there already.
    """
    account = open_account(session.environ, region, profile)
    client = Endpoint(endpoint, service=AwsService("sagemaker-runtime", account))
    if below or file.startswith("s3://"):
        if target:
            message = "an asynchronous endpoint has no production variants to choose from"
            raise UsageError(message, hint="leave --target out")
        storage = S3(account)
        address = _put(session, storage, file, below) if below else file
        pending = client.submit(address, content_type=content_type, accept=accept)
        patience = open_patience(poll_s, limit_s, default_limit_s=LIMIT_S)
        _show_pending(session, storage, pending, patience if wait else None, as_json=as_json)
        return
    body = _read(file)
    answer = client.predict(body, content_type=content_type, accept=accept, variant=target)
    if as_json:
        session.show_json(
            {
                "body": answer.body.decode(errors="replace"),
                "content_type": answer.content_type,
                "variant": answer.variant,
            }
        )
        return
    sys.stdout.buffer.write(answer.body)
    sys.stdout.buffer.flush()


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        message = f"'{file}' can't be read: {error.strerror}"
        raise UsageError(message) from error


def _put(session: Session, storage: Storage, file: str, below: str) -> str:
    """Upload a file, unless it is there already, and return its address."""
    path = Path(file)
    if file.startswith("s3://") or not path.is_file():
        message = f"'{file}' is no file that could be uploaded"
        raise UsageError(message, hint="give a file, or an S3 address without --upload")
    planned = plan_upload("requests", path, Place.parse(below))
    with session.progress() as listener:
        upload(storage, planned, listener=listener)
    return str(planned.place.below(path.name))


def _show_pending(
    session: Session,
    storage: Storage,
    pending: Pending,
    patience: Patience | None,
    *,
    as_json: bool,
) -> None:
    """Wait for an answer and print it; without patience, print where it will be."""
    if patience is None:
        if as_json:
            session.show_json(pending.as_json())
        else:
            session.show(str(pending.output))
        return
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer")
        with session.progress() as listener:
            waiting = f"waiting for {pending.output}"
            listener(Event("predict", pending.id, State.STARTED, waiting))
            collect(storage, pending, patience, answer)
            listener(Event("predict", pending.id, State.DONE, "answered"))
        if as_json:
            text = answer.read_bytes().decode(errors="replace")
            session.show_json({"body": text, **pending.as_json()})
            return
        with answer.open("rb") as content:
            while chunk := content.read(CHUNK):
                sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
