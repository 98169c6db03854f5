"""The child's end of the socket to its parent: JSON lines, never waited for; the end when nobody listens."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

_BACKLOG = 1 << 20


class Channel:
    """Sends lines. A parent that does not read loses lines (the file has them); a parent gone ends us.

    `lock` must be a real lock: the loop and the keeper's thread both speak. Without a socket (`fd` -1)
    nothing is sent.
    """

    def __init__(self, fd: int, lock: AbstractContextManager[Any], gone: Callable[[], None]) -> None:
        self._fd, self._lock, self._gone = fd, lock, gone
        self._pending = b""
        if fd >= 0:
            os.set_blocking(fd, False)

    def say(self, message: dict[str, Any]) -> None:
        """Send one message, after what is still waiting."""
        if self._fd < 0:
            return
        with self._lock:
            line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
            if len(self._pending) + len(line) <= _BACKLOG:
                self._pending += line
            try:
                self._pending = self._pending[os.write(self._fd, self._pending) :]
            except BlockingIOError:
                return
            except OSError:
                self._gone()
