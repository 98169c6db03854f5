"""One run of pg_basebackup: a copy of the whole database cluster, whole in itself."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

from stormarchive import member, program
from stormarchive.files import size_of
from stormarchive.member import Primary, conninfo, environment
from stormarchive.segments import parse_lsn
from stormarchive.settings import Settings
from stormarchive.store import Base, Store, stamp

_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())"

log = logging.getLogger(__name__)


class Backup:
    """Runs from its making on, into a directory that counts only once `finish` has said so. Raises OSError."""

    def __init__(self, settings: Settings, store: Store, primary: Primary, stretch: int) -> None:
        self._settings = settings
        self._store = store
        self._primary = primary
        self._stretch = stretch
        self._started_s = time.monotonic()
        self._name = stamp(time.time())
        self._directory = store.bases_directory / self._name
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        command = [str(settings.programs / "pg_basebackup"), "-D", str(self._directory), "--no-password"]
        # With the log that it needs: it can be restored by itself, whatever became of the archive.
        command += ["--format", "tar", "--wal-method", "fetch", "--compress", "client-gzip:1"]
        command += ["--checkpoint", "fast", "--max-rate", settings.rate]
        command += ["-d", conninfo(primary.member, settings.replication, f"{settings.name}-base")]
        self._process = subprocess.Popen(
            command,
            env=environment(settings.replication),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    @property
    def running(self) -> bool:
        """Whether it is still under way."""
        return self._process.poll() is None

    def finish(self) -> Base | str:
        """What came of it, once it has ended: a base backup that counts from now on, or why there is none."""
        said = self._process.communicate()[1].strip().splitlines()
        if self._process.returncode != 0:
            self.discard()
            return said[-1] if said else f"pg_basebackup ended with {self._process.returncode}"
        try:
            base = self._whole()
            self._store.add(base)
        except (member.AskError, OSError, ValueError, KeyError, IndexError) as error:
            self.discard()
            return str(error)
        return base

    def discard(self) -> None:
        """End it if it runs, and leave nothing of it."""
        program.end(self._process)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _whole(self) -> Base:
        part = _log_needed(self._directory)
        connection = conninfo(self._primary.member, self._settings.reader, f"{self._settings.name}-look")
        # Asked after its end, so that every moment from then on lies behind it.
        rows = member.ask(self._settings.programs, connection, self._settings.reader, _CLOCK)
        return Base(
            name=self._name,
            stretch=self._stretch,
            timeline=int(part["Timeline"]),
            begin=parse_lsn(part["Start-LSN"]),
            end=parse_lsn(part["End-LSN"]),
            ended_s=float(rows[0][0]),
            took_s=round(time.monotonic() - self._started_s, 3),
            size=size_of(self._directory),
        )


def _log_needed(directory: Path) -> dict[str, str]:
    manifest = json.loads((directory / "backup_manifest").read_text(encoding="utf-8"))
    ranges = manifest["WAL-Ranges"]
    return {**ranges[-1], "Start-LSN": ranges[0]["Start-LSN"]}
