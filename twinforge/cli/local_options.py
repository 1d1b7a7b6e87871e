"""What the verbs of ``local`` have in common on the command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from twinforge.cli.aws import open_account
from twinforge.engine.engine import Settings, find_engine
from twinforge.errors import MissingToolError
from twinforge.sagemaker.select import Wish
from twinforge.sagemaker.storage import S3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twinforge.cli.session import Session
    from twinforge.sagemaker.local.means import LocalMeans

__all__ = ["GB", "choice_options", "model_options", "open_means", "open_storage", "wish_of"]

Command = TypeVar("Command", bound="Callable[..., Any]")
GB = 10**9


def choice_options(command: Command) -> Command:
    """Add what chooses the image, and its network."""
    for option in reversed(
        (
            click.option(
                "--instance", required=True, metavar="TYPE", help="Run it like this type."
            ),
            click.option("--accelerator", default="", help="Insist on one, such as cpu."),
            click.option("--variant", default="", help="Insist on a variant."),
            click.option("--build", is_flag=True, help="Build the image if it is not there."),
            click.option(
                *("--env", "env"),
                multiple=True,
                metavar="K[=V]",
                help="A variable, its value from here if none is given; may be repeated.",
            ),
            click.option(
                *("--network-isolation", "is_isolated"),
                is_flag=True,
                help="Let the container reach no network.",
            ),
            click.option(
                "--dry-run", is_flag=True, help="Print what would be run as JSON; run nothing."
            ),
        )
    ):
        command = option(command)
    return command


def model_options(command: Command) -> Command:
    """Add the model, and how long it may take to load."""
    for option in reversed(
        (
            click.option(
                "--model",
                required=True,
                metavar="DIR|TAR.GZ|S3",
                help="A folder, a model.tar.gz or its address.",
            ),
            click.option(
                *("--max-size", "max_gb"),
                default=20.0,
                show_default=True,
                type=click.FloatRange(0, min_open=True),
                metavar="GB",
                help="Refuse a model that is bigger, unpacked.",
            ),
            click.option(
                *("--startup", "startup_s"),
                type=click.FloatRange(1, 3600),
                default=480.0,
                show_default=True,
                metavar="S",
                help="Until /ping has to say 200.",
            ),
        )
    ):
        command = option(command)
    return command


def wish_of(accelerator: str, variant: str) -> Wish:
    """Return what narrows the choice."""
    return Wish(accelerator=accelerator, variant=variant)


def open_storage(session: Session, region: str, profile: str) -> S3:
    """Return S3; nothing is sent before it is needed."""
    return S3(open_account(session.environ, region, profile))


@contextmanager
def open_means(session: Session, stage: str) -> Iterator[LocalMeans]:
    """Connect to the engine that answers; a project is not needed for that.

    Raises:
        MissingToolError: None does: nothing is installed or started to look at what runs there.
    """
    from twinforge.api.local import means_of  # noqa: PLC0415 - heavy

    engine = find_engine(Settings(session.environ, session.engine_dir))
    if engine is None:
        message = "no engine answers, and so nothing runs"
        raise MissingToolError(message, hint="see `twinforge engine status`")
    with session.progress() as progress:
        storage = open_storage(session, "", "")
        with means_of(engine, storage, stage=stage, listener=progress) as means:
            yield means
