"""One run of pg_receivewal: log from a primary into a stretch, until the connection ends."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import Final

from stormarchive import program
from stormarchive.member import Primary, conninfo, environment
from stormarchive.settings import Settings

# What a server says that no longer has the log that is asked for.
_GONE: Final = ("has already been removed", "is not in this server's history")

log = logging.getLogger(__name__)


class Receiver:
    """Runs from its making on. Without a replication slot: nothing here can make the primary keep its log."""

    def __init__(self, settings: Settings, primary: Primary, directory: Path) -> None:
        self.primary = primary
        self._said: deque[str] = deque(maxlen=5)
        command = [str(settings.programs / "pg_receivewal"), "-D", str(directory), "--no-loop", "-v"]
        # A confirmation each second shows how far it is, and that the primary is still there.
        command += ["--status-interval", "1"]
        command += ["-d", conninfo(primary.member, settings.replication, settings.name)]
        self._process = subprocess.Popen(
            command,
            env=environment(settings.replication),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Whether it still receives, or tries to."""
        return self._process.poll() is None

    @property
    def why(self) -> str:
        """The last that it said."""
        told = [line for line in self._said if line and line != "error: disconnected"]
        return told[-1] if told else "it said nothing"

    @property
    def log_is_gone(self) -> bool:
        """Whether it ended because the primary no longer has the log that comes next."""
        return any(word in line for line in self._said for word in _GONE)

    def end(self) -> None:
        """End it; returns when it has."""
        program.end(self._process)
        self._reader.join(program.END_S)

    def _listen(self) -> None:
        if self._process.stderr is None:
            return
        for line in self._process.stderr:
            text = line.strip().removeprefix("pg_receivewal: ")
            self._said.append(text)
            # One line for each segment would be most of the log.
            if "finished segment" not in text:
                log.info("receiver: %s", text)
