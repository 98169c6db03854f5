"""The supervisor's unix socket: one JSON line in, one JSON line out, each connection in its own thread.

The directory is private (0700), so that only this user can ask for a fault.
"""

from __future__ import annotations

import json
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stormdrill.errors import StormdrillError

Handler = Callable[[str, dict[str, Any]], Any]


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline()
        if not line.endswith(b"\n"):
            return
        answer = json.dumps(_answer(self.server.answer, line), default=str).encode() + b"\n"
        try:
            self.wfile.write(answer)
        except OSError:
            return  # the asker was killed while it waited


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, answer: Handler) -> None:
        self.answer = answer
        super().__init__(path, _Connection)


class Channel:
    """Serves `handler` until `close`. `path` is a socket in a private directory (made here unless given)."""

    def __init__(self, handler: Handler, path: Path | None = None) -> None:
        self._made = None if path else Path(tempfile.mkdtemp(prefix="stormdrill-"))
        self.path = path or Path(str(self._made)) / "supervisor.sock"
        self._server = _Server(str(self.path), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="channel", daemon=True
        )
        self._thread.start()

    @property
    def directory(self) -> Path | None:
        """The directory made here, for whoever must clean up after a `kill -9`; None when it was given."""
        return self._made

    def close(self) -> None:
        """Answer nobody any more and remove what was made."""
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)
        if self._made:
            shutil.rmtree(self._made, ignore_errors=True)


def _answer(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        question = json.loads(line)
        result = handler(question["op"], question["arguments"])
    except StormdrillError as error:
        return {"ok": False, "kind": type(error).__name__, "error": str(error)}
    except Exception as error:  # noqa: BLE001 - a thread of its own: the asker must get an answer
        return {"ok": False, "kind": "ActionError", "error": f"{type(error).__name__}: {error}"}
    return {"ok": True, "result": result}
