"""The verb ``predict``: a request to an endpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinforge.cli.aws import account_options, open_account
from twinforge.errors import UsageError
from twinforge.sagemaker.aws import AwsService
from twinforge.sagemaker.predict import Endpoint

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["predict", "read_body"]


@click.command(
    epilog="\b\nExamples:\n  twinforge predict digits --content-type text/csv row.csv\n"
    "  cat row.csv | twinforge predict digits --content-type text/csv -"
)
@click.argument("endpoint")
@click.argument("file", metavar="FILE|-")
@click.option("--content-type", required=True, metavar="TYPE", help="What FILE is.")
@click.option("--accept", default="", metavar="TYPE", help="What the answer shall be.")
@click.option("--target", default="", metavar="VARIANT", help="The production variant to ask.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the answer's text and headers as JSON."
)
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
    as_json: bool,
    region: str,
    profile: str,
) -> None:
    """Send FILE to an endpoint and print the container's answer, byte for byte."""
    body = read_body(file)
    account = open_account(session.environ, region, profile)
    client = Endpoint(endpoint, service=AwsService("sagemaker-runtime", account))
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


def read_body(file: str) -> bytes:
    """Return what a file holds; ``-`` is standard input.

    Raises:
        UsageError: It can't be read.
    """
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        message = f"'{file}' can't be read: {error.strerror}"
        raise UsageError(message) from error
