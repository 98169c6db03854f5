"""One question to the supervisor and its answer: a JSON line each way over its unix socket.

The supervisor alone touches the estate. When it is gone, a call fails and nothing is injected.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from stormdrill.errors import Aborted, ActionError, StormdrillError, TargetError

SOCKET_VARIABLE = "STORMDRILL_SOCKET"
_KINDS: dict[str, type[StormdrillError]] = {"ActionError": ActionError, "TargetError": TargetError}


def attached() -> bool:
    """Whether a supervisor has told us its socket."""
    return bool(os.environ.get(SOCKET_VARIABLE))


def call(op: str, **arguments: Any) -> Any:
    """Ask the supervisor; blocks until it answers.

    Raises Aborted when the run has to end, ActionError or TargetError as the supervisor met them, and
    ActionError when there is no supervisor. If this process is interrupted while it waits, the supervisor is
    told to abort: Chaos Toolkit 1.44 swallows SIGTERM inside an action and would inject the next fault.
    """
    path = os.environ.get(SOCKET_VARIABLE)
    if not path:
        raise ActionError(
            "no supervisor: start the experiment with `stormdrill run`, or keep its control "
            "`stormdrill.chaos.controls` when you use `chaos run`"
        )
    try:
        return _exchange(path, op, arguments)
    except StormdrillError:
        raise
    except OSError as error:
        raise ActionError(f"the supervisor does not answer ({error}); nothing was done") from None
    except BaseException:
        _abort(path)
        raise


def _abort(path: str) -> None:
    try:
        _exchange(path, "abort", {"reason": "Chaos Toolkit was interrupted", "by": "signal"})
    except (StormdrillError, OSError):
        return


def _exchange(path: str, op: str, arguments: dict[str, Any]) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.sendall(json.dumps({"op": op, "arguments": arguments}, default=str).encode() + b"\n")
        with connection.makefile("rb") as stream:
            line = stream.readline()
    if not line.endswith(b"\n"):
        raise ActionError(f"the supervisor ended before it answered {op!r}")
    answer = json.loads(line)
    if answer["ok"]:
        return answer["result"]
    if answer["kind"] == "Aborted":
        raise Aborted(answer["error"])
    raise _KINDS.get(answer["kind"], ActionError)(answer["error"])
