"""What the verbs that speak to AWS have in common on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from twinforge.sagemaker.aws import Account
from twinforge.sagemaker.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["account_options", "open_account", "open_patience", "wait_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def account_options(command: Command) -> Command:
    """Add ``--region`` and ``--profile``."""
    region = click.option("--region", default="", help="AWS region, instead of the configured one.")
    profile = click.option("--profile", default="", help="A profile of the AWS configuration.")
    return region(profile(command))


def wait_options(command: Command) -> Command:
    """Add ``--poll`` and ``--timeout``."""
    poll = click.option(
        "--poll",
        "poll_s",
        default=10.0,
        show_default=True,
        type=click.FloatRange(0.01, 300),
        metavar="S",
        help="Seconds between two looks while waiting.",
    )
    limit = click.option(
        "--timeout",
        "limit_s",
        default=0.0,
        type=click.FloatRange(0),
        metavar="S",
        help="Give up waiting after this; what was started goes on.",
    )
    return poll(limit(command))


def open_account(environ: Mapping[str, str], region: str, profile: str) -> Account:
    """Return whose AWS it is, with what boto3 does not read from the environment by itself.

    That is ``AWS_REGION``, which other SDKs know, and ``SSL_CERT_FILE``.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    """
    named = environ.get("AWS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or ""
    bundle = Path(named) if named and Path(named).is_file() else None
    return Account(region or environ.get("AWS_REGION", ""), profile, bundle)


def open_patience(poll_s: float, limit_s: float, *, default_limit_s: float) -> Patience:
    """Return how patiently to wait; no ``--timeout`` means the verb's own."""
    return Patience(poll_s=poll_s, limit_s=limit_s or default_limit_s)
