"""Arguments to calls, verdicts to exit codes. Nothing is decided here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stormdrill.cli.output import complain, let_go
from stormdrill.errors import Aborted, ExitCode, StormdrillError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; its exit code (see `errors.ExitCode`). Never a traceback for bad input."""
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except Aborted as error:
        complain(f"aborted: {error.reason}")
        return error.exit_code
    except StormdrillError as error:
        complain(error)
        return error.exit_code
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else error)
        return ExitCode.BAD_INPUT
    except KeyboardInterrupt:
        complain("aborted: interrupted before anything was started")
        return ExitCode.ABORTED
    finally:
        let_go()


def _run(argv: list[str]) -> int:
    from stormdrill.cli.parser import parse  # noqa: PLC0415 - Ctrl-C during imports ends quietly, too

    arguments = parse(argv)
    return int(arguments.command(arguments))
