"""The lab's command line: arguments to calls, errors to one message and an exit code.

Exit codes: 0 done; 1 the lab could not do it; 2 bad input, nothing was made; 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence

from stormlab.errors import BadInputError, LabError

# The lab's own processes start through the same command; each parses its arguments and loads its code.
_DAEMONS = {
    "relay": "stormlab.net.relay",
    "api": "stormlab.api.main",
    "node": "stormlab.node.main",
    "targets": "stormlab.targets",
    "names": "stormlab.names",
}


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    as_json = "--json" in argv
    try:
        if argv and argv[0] in _DAEMONS:
            daemon: Callable[[Sequence[str]], int] = importlib.import_module(_DAEMONS[argv[0]]).main
            return daemon(argv[1:])
        return _command(argv)
    except BadInputError as error:
        return _fail(2, error.problems, as_json=as_json)
    except LabError as error:
        return _fail(1, [str(error)], as_json=as_json)
    except KeyboardInterrupt:
        said = "interrupted; what was made stays: `up` continues, `down` removes it"
        return _fail(130, [said], as_json=as_json)
    except BrokenPipeError:
        return 1


def _command(argv: Sequence[str]) -> int:
    """A command of a person's: what the machine refuses is a message too, not a traceback as in a daemon's log."""
    from stormlab import commands  # noqa: PLC0415  daemons do without it

    try:
        return commands.run(argv)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise LabError(f"{where}{error.strerror or error}") from error
    except subprocess.SubprocessError as error:
        raise LabError(str(error)) from error


def _fail(code: int, problems: Sequence[str], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"ok": False, "problems": list(problems)}))
    for problem in problems:
        print(f"stormlab: {problem}", file=sys.stderr)
    return code
