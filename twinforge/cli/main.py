"""The program ``twinforge``: its groups of verbs, and how each way to end becomes an exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinforge.cli.session import Session
from twinforge.errors import ProjectError, TwinforgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "twinforge"]

_INTERRUPTED = 130
_NEW_OBJECTS = 50_000
"""After how many the garbage collector looks; by default 700, which makes a short verb a tenth slower.

Modules, schemas and data are kept till the end, and there is nothing in them to collect.
"""
_UNUSED = "httpx._main"
"""httpx's own command line, which takes longer to import than all the rest of httpx.

It does without, as where what that needs is not installed.
"""
_NO_VERB = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""What click raises for no verb since 8.2; before, it printed the help itself."""
_EPILOG = """\b
Exit status: 0 success, 1 something failed, 2 wrong usage, 3 nothing is known,
4 impossible, 5 wrong recipe or matrix, 6 stale files, 7 missing engine or
program, 130 interrupted.

\b
Examples:
  twinforge check                     see whether recipes and matrix are right
  twinforge matrix                    show what is built, and for what
  twinforge build && twinforge smoke  make and try the default variants
  twinforge push --dry-run            show what would go where
"""


_VERBS = {
    "new": "scaffolding",
    "check": "sources",
    "matrix": "matrix",
    "lock": "sources",
    "render": "sources",
    "schema": "sources",
    "engine": "engines",
    "plan": "making",
    "build": "making",
    "smoke": "trying",
    "push": "pushing",
    "promote": "promoting",
    "registry": "repositories",
    "iam": "permissions",
    "select": "choosing",
    "train": "training",
    "job": "training",
    "model": "training",
    "deploy": "hosting",
    "endpoint": "endpoints",
    "predict": "predicting",
    "local": "local",
    "compat": "compat",
}
"""Verb -> its module, in the order in which a project uses them.

A module is imported when its verb is used: the SDKs behind some take longer than other verbs run.
"""


class _Verbs(click.Group):
    """Knows all verbs and imports the one that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            if ctx.resilient_parsing:  # the shell completes a word that is not whole yet
                return None
            from twinforge.model.suggest import known_or_close  # noqa: PLC0415 - for this error only

            message = f"there is no verb '{cmd_name}'{known_or_close(cmd_name, list(_VERBS))}"
            raise UsageError(message, hint="see `twinforge --help`")
        module = import_module(f"twinforge.cli.{_VERBS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(
    cls=_Verbs,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="twinforge")
@click.option(
    "--project",
    "-C",
    default=".",
    metavar="DIR",
    help="The project: the folder with matrix.yaml and recipes/.  [default: .]",
)
@click.option("--quiet", "-q", is_flag=True, help="Show results and errors only.")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def twinforge(ctx: click.Context, *, project: str, quiet: bool, debug: bool) -> None:
    """Build matching CPU and CUDA images for SageMaker from one recipe."""
    ctx.obj = Session(project, environ=dict(os.environ), quiet=quiet, debug=debug)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program and end the process with its exit status."""
    _open_streams()
    _end_as_interrupted()
    gc.set_threshold(_NEW_OBJECTS)
    sys.modules.setdefault(_UNUSED, None)  # type: ignore[arg-type] # None: it can't be imported
    debug = "--debug" in (sys.argv if argv is None else argv)
    try:
        status = twinforge.main(
            None if argv is None else list(argv), prog_name="twinforge", standalone_mode=False
        )
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        _show_usage(error)
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):  # click turns the second into the first
        click.echo("interrupted; run the same command again to go on", err=True)
        status = _INTERRUPTED
    except TwinforgeError as error:
        if debug:
            traceback.print_exc()
        _show(error)
        status = error.exit_status
    except BrokenPipeError:  # whoever read our output has gone; saying so would only raise again
        _drop_output()
        status = 1
    except OSError as error:
        if error.strerror is None:  # no call of the system's: a fault of ours
            raise
        if debug:
            traceback.print_exc()
        _show(_as_ours(error))
        _flush_output()
        status = TwinforgeError.exit_status
    sys.exit(status if isinstance(status, int) else 0)


def _end_as_interrupted() -> None:
    """Let SIGTERM, and a terminal that closes, end the program as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)


def _open_streams() -> None:
    """Let a process that was started with a closed output write to nowhere: Python gives it None."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - till the end
            setattr(sys, name, nowhere)


def _as_ours(error: OSError) -> TwinforgeError:
    path = error.filename2 or error.filename  # of two, the one that was to be made
    reason = (error.strerror or "").lower()
    return TwinforgeError(f"'{path}': {reason}" if path else reason)


def _flush_output() -> None:
    """Flush, or drop what can't be written: Python would try again and end with a status of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(error: TwinforgeError) -> None:
    if isinstance(error, ProjectError):
        # Each problem begins its line, which is where editors look for a place to jump to.
        click.echo(error.message, err=True)
        count = len(error.problems)
        message = f"{count} problem{'' if count == 1 else 's'} in the project's files"
    else:
        message = error.message
    click.echo(f"error: {message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def _show_usage(error: click.ClickException) -> None:
    """Show click's error as one of ours; the help that stands for no verb at all stays help."""
    if isinstance(error, _NO_VERB):
        error.show()
        return
    message = error.format_message().removesuffix(".")
    click.echo(f"error: {message[:1].lower()}{message[1:]}", err=True)
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        click.echo(f"hint: see `{context.command_path} --help`", err=True)
