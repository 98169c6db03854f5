"""The relay's control socket: one JSON line asked, one JSON line answered, never blocking the packets."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from stormlab.errors import LabError

_MAX_LINE = 65536
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Control:
    """Server side: descriptors to wait on, and what to do when one is readable."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(16)
        self._listener.setblocking(False)
        self._clients: dict[int, tuple[socket.socket, bytes]] = {}

    def filenos(self) -> list[int]:
        """Descriptors to wait on for reading."""
        return [self._listener.fileno(), *self._clients]

    def serve(self, fd: int, answer: Answer) -> None:
        """Accept a client or read what one sent, and answer each whole line."""
        if fd == self._listener.fileno():
            with suppress(OSError):
                client, _ = self._listener.accept()
                client.setblocking(False)
                self._clients[client.fileno()] = (client, b"")
            return
        client, pending = self._clients[fd]
        try:
            data = client.recv(4096)
        except OSError:
            data = b""
        *lines, rest = (pending + data).split(b"\n")
        self._clients[fd] = (client, rest)
        with suppress(OSError):
            for line in lines:
                client.sendall(json.dumps(_reply(line, answer)).encode() + b"\n")
        if not data or len(rest) > _MAX_LINE:
            del self._clients[fd]
            client.close()


def _reply(line: bytes, answer: Answer) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return answer(request) if isinstance(request, dict) else {"error": "a request is a JSON object"}
    except (ValueError, LabError) as error:
        return {"error": str(error)}


def ask(path: Path, request: dict[str, Any], timeout_s: float = 2.0) -> dict[str, Any]:
    """Client side: send one request and return the answer. Raises LabError when refused or unreachable."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout_s)
            client.connect(str(path))
            client.sendall(json.dumps(request).encode() + b"\n")
            reply = client.makefile("rb").readline()
        answer = json.loads(reply)
    except (OSError, ValueError) as error:
        raise LabError(f"the link relay does not answer on {path}: {error}") from error
    if "error" in answer:
        raise LabError(str(answer["error"]))
    return dict(answer)


def link(path: Path, pair: frozenset[str]) -> dict[str, Any]:
    """What the relay tells of one link. Raises LabError when there is no such link or no answer."""
    for told in ask(path, {"get": True})["links"]:
        if frozenset(told["between"]) == pair:
            return dict(told)
    raise LabError(f"the link relay carries nothing between {' and '.join(sorted(pair))}")
