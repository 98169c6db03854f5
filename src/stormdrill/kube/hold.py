"""An exec that is kept open: a process of ours inside a container, whose end is an observation.

The command has a standard input on which nothing is ever sent. Its end of file is how the process learns that we are
gone: a kubelet closes the input with the stream, but ends no program whose client went away.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import websocket

from stormdrill.errors import DeadlineError
from stormdrill.kube.config import Access
from stormdrill.kube.run import STATUS, STDOUT, exit_code, open_stream


def hold(access: Access, path: str, container: str | None, command: list[str], timeout_s: float) -> HeldExec:
    """Start `command`, which must end when its input does.

    ApiError when the API refuses, TargetError when it cannot be reached.
    """
    query = [("command", part) for part in command]
    query += [("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    if container:
        query.append(("container", container))
    connection = open_stream(access, f"{path}?{urlencode(query)}", timeout_s)
    return HeldExec(connection, access.context, " ".join(command))


class HeldExec:
    """A running command and its stream. One thread at a time."""

    def __init__(self, connection: Any, who: str, command: str) -> None:
        self._connection = connection
        self._who = who
        self._command = command
        self._output = bytearray()
        self._status = bytearray()
        self._lost = False

    def first_output(self, timeout_s: float) -> str:
        """The first bytes of its standard output: it runs. DeadlineError when none came.

        ApiError when the command could not be run (no such program in the image).
        """
        end = time.monotonic() + timeout_s
        while not self._output:
            if self._status:
                code = exit_code(json.loads(self._status), self._who, self._command)
                raise DeadlineError(f"{self._who}: `{self._command}` ended with {code} and wrote nothing")
            if self._lost or not self._receive(end):
                raise DeadlineError(f"{self._who}: `{self._command}` wrote nothing within {timeout_s:g} s")
        return self._output.decode(errors="replace")

    def ended(self, timeout_s: float) -> int | None:
        """Wait for its end: the exit code, or None when the stream was lost. DeadlineError if it runs on."""
        end = time.monotonic() + timeout_s
        while not self._status and not self._lost:
            if not self._receive(end):
                raise DeadlineError(f"{self._who}: `{self._command}` still runs after {timeout_s:g} s")
        return exit_code(json.loads(self._status), self._who, self._command) if self._status else None

    def close(self) -> None:
        """Let go of the stream; the command is not waited for."""
        self._connection.close()

    def _receive(self, end: float) -> bool:
        """Take one message; False when `end` passes first."""
        left_s = end - time.monotonic()
        if left_s <= 0:
            return False
        self._connection.settimeout(left_s)
        try:
            opcode, frame = self._connection.recv_data()
        except websocket.WebSocketTimeoutException:
            return False
        except (websocket.WebSocketException, OSError):
            self._lost = True
            return True
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self._lost = True
        elif frame and frame[0] == STDOUT:
            self._output += frame[1:]
        elif frame and frame[0] == STATUS:
            self._status += frame[1:]
        return True
