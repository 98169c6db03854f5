"""A file that is only ever appended to: `write()` at once, `fdatasync` in groups.

What was written survives the death of this process from the moment `_write` returns, and the death of the machine
once the next `sync` has returned; the load child calls `sync` every 100 ms.
"""

from __future__ import annotations

import os
from pathlib import Path


class AppendedFile:
    """A new file; FileExistsError when there is one. Not thread-safe, except `sync`; greenlets may share it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._synced = True

    def _write(self, entry: bytes) -> None:
        """Write one entry now. OSError with the system's reason when it cannot be written whole."""
        written = os.write(self._fd, entry)
        self._synced = False
        while written < len(entry):  # the reason of a short write is what the rest meets
            written += os.write(self._fd, entry[written:])

    def sync(self) -> None:
        """Make everything written so far survive a crash of the machine."""
        if not self._synced:
            self._synced = True
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        os.close(self._fd)
