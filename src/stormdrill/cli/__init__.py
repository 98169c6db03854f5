"""Arguments to calls, verdicts to exit codes. Nothing is decided here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stormdrill.errors import Aborted, ExitCode, InputError, StormdrillError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; its exit code (see `errors.ExitCode`). Never a traceback for bad input."""
    try:
        from stormdrill.cli.parser import parse  # noqa: PLC0415 - Ctrl-C during imports ends quietly, too

        arguments = parse(sys.argv[1:] if argv is None else list(argv))
        return int(arguments.command(arguments))
    except InputError as error:
        print(error, file=sys.stderr)
        return ExitCode.BAD_INPUT
    except Aborted as error:
        print(f"aborted: {error.reason}", file=sys.stderr)
        return ExitCode.ABORTED
    except StormdrillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("aborted: interrupted before anything was started", file=sys.stderr)
        return ExitCode.ABORTED
