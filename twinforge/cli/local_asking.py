"""``local predict``: a request to an endpoint of this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from twinforge.cli.local_options import open_means
from twinforge.cli.predicting import read_body
from twinforge.sagemaker.local.invoke import invoke
from twinforge.sagemaker.local.running import find_endpoint

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["predict_local"]


@click.command(
    "predict",
    epilog="\b\nExamples:\n  twinforge local predict digits --content-type text/csv row.csv\n"
    "  cat row.csv | twinforge local predict digits --content-type text/csv -",
)
@click.argument("endpoint")
@click.argument("file", metavar="FILE|-")
@click.option("--content-type", required=True, metavar="TYPE", help="What FILE is.")
@click.option("--accept", default="", metavar="TYPE", help="What the answer shall be.")
@click.option(
    "--attributes",
    default="",
    metavar="TEXT",
    help="Custom attributes, as the container sees them.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the answer's text and headers as JSON."
)
@click.pass_obj
def predict_local(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    endpoint: str,
    file: str,
    content_type: str,
    accept: str,
    attributes: str,
    as_json: bool,
) -> None:
    """Send FILE to an endpoint of this machine; print the answer, byte for byte.

    As at SageMaker, FILE may have 25 MB, and the container 60 s.
    """
    body = read_body(file)
    with open_means(session, "predict") as means:
        found = find_endpoint(means.desk, endpoint)
        reply = invoke(
            *(found.url, body), content_type=content_type, accept=accept, attributes=attributes
        )
    if as_json:
        session.show_json(
            {
                "body": reply.body.decode(errors="replace"),
                "content_type": reply.content_type,
                "attributes": reply.attributes,
                "variant": found.variant,
            }
        )
        return
    sys.stdout.buffer.write(reply.body)
    sys.stdout.buffer.flush()
