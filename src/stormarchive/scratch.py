"""A scratch server: a base backup unpacked and recovered through the archive's log, on a socket of its own."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
import zlib
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stormarchive import member
from stormarchive.errors import RestoreError
from stormarchive.member import AskError
from stormarchive.segments import parse_lsn
from stormarchive.settings import Account
from stormarchive.store import Store
from stormarchive.target import Route
from stormarchive.wait import until

_PORT: Final = 5432
_TOO_EARLY: Final = "recovery ended before configured recovery target was reached"
# Log that comes while this goes on is not taken: a second try would else lead beyond the first one's target. A segment
# may be renamed or packed while it is looked for, so each is looked for twice.
_FETCH: Final = """\
#!/bin/sh
case "$1" in
    *.history) ;;
    *) expr "x${{1#????????}}" ">" "x{last}" > /dev/null && exit 1 ;;
esac
for turn in 1 2; do
    for found in "{newest}/$1.gz" "{newest}/$1" "{newest}/$1.partial" \
        "{directory}/$1.gz" "{directory}/$1" "{directory}/$1.partial"; do
        case "$found" in
            *.gz) gzip -dc "$found" 2>/dev/null > "$2" && exit 0 ;;
            *) cp "$found" "$2" 2>/dev/null && exit 0 ;;
        esac
    done
done
rm -f "$2"
exit 1
"""


class Scratch:
    """A context: nothing of it runs afterwards, and nothing is left of it on disk. RestoreError says what failed."""

    def __init__(self, programs: Path, directory: Path, route: Route, account: Account) -> None:
        self._programs = programs
        self._root = directory
        self._route = route
        self._account = account
        self._server: subprocess.Popen[bytes] | None = None
        self._last = ""
        self._timeline = route.base.timeline
        self.reached_target = False
        """Whether recovery stopped at its target, and not where the log ends."""

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            raise RestoreError("PostgreSQL does not run as root: restore as another user")
        if self._root.exists() and any(self._root.iterdir()):
            raise RestoreError(f"{self._root} is not empty")
        self._root.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        for path in self._root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def _data(self) -> Path:
        return self._root / "data"

    def hold(self) -> None:
        """Note where the log ends, and keep a copy of its newest segment: it is written to meanwhile."""
        stretch = self._route.stretch
        self._newest.mkdir()
        segments = stretch.segments()
        number = max((each.number for each in segments), default=0)
        for segment in segments:
            if segment.number == number:
                self._last = segment.stem[8:]
                shutil.copy(stretch.directory / segment.file_name, self._newest)
        line = stretch.lineage()
        self._timeline = line.timeline if line is not None else self._route.base.timeline

    @property
    def _newest(self) -> Path:
        return self._root / "newest"

    def unpack(self, store: Store) -> None:
        """Unpack the base backup and compare it with its manifest."""
        source = store.bases_directory / self._route.base.name
        self._data.mkdir(mode=0o700)
        self._run(["tar", "-xzf", str(source / "base.tar.gz"), "-C", str(self._data)], "the base backup")
        shutil.copy(source / "backup_manifest", self._data)
        verify = [str(self._programs / "pg_verifybackup"), "--no-parse-wal", "--quiet", str(self._data)]
        self._run(verify, "the base backup")

    def read_packed(self) -> None:
        """Read every packed segment that will be needed: what is damaged is told by name."""
        stretch, base = self._route.stretch, self._route.base
        for segment in stretch.segments():
            if not segment.packed or segment.end <= base.end:
                continue
            size = 0
            try:
                with gzip.open(stretch.directory / segment.file_name) as content:
                    while part := content.read(1 << 20):
                        size += len(part)
            except (OSError, EOFError, zlib.error) as error:
                raise RestoreError(
                    f"{segment.file_name} in {stretch.directory} is damaged: {error}"
                ) from None
            if size != segment.size:
                raise RestoreError(f"{segment.file_name} in {stretch.directory} holds {size} bytes of log")

    def recover(self, timeout_s: float) -> None:
        """Run recovery to its target; the server then takes writes, which nobody but us can send."""
        self._configure()
        wished = self._route.target.settings()
        self._start(wished, timeout_s)
        if self._server is not None:
            self.reached_target = bool(wished)
            return
        if _TOO_EARLY not in self._log():
            raise RestoreError(f"recovery failed: {self._last_words()}")
        # Nothing was committed between the last commit and the moment wished for, or the log is damaged before it.
        self._start({}, timeout_s)
        if self._server is None:
            raise RestoreError(f"recovery failed: {self._last_words()}")

    def replayed(self) -> int:
        """The position that recovery came to."""
        return parse_lsn(self.ask("SELECT pg_last_wal_replay_lsn()"))

    def ask(self, query: str, database: str = "postgres") -> str:
        """The one value that a query answers; AskError when it does not."""
        rows = member.ask(self._programs, self._connection(database), self._account, query)
        return rows[0][0] if rows else ""

    def _connection(self, database: str) -> str:
        return f"host={self._root} port={_PORT} user={self._account.user} dbname={database}"

    def _configure(self) -> None:
        for name in ("postgresql.auto.conf", "standby.signal", "backup_manifest"):
            (self._data / name).unlink(missing_ok=True)
        (self._data / "recovery.signal").touch()
        fetch = self._root / "fetch.sh"
        places = {"directory": self._route.stretch.directory, "newest": self._newest, "last": self._last}
        fetch.write_text(_FETCH.format(**places), encoding="utf-8")
        # Trust: the socket is in a directory that only this user enters.
        (self._root / "hba.conf").write_text("local all all trust\n", encoding="utf-8")
        (self._root / "ident.conf").touch()
        self._root.chmod(0o700)

    def _start(self, target: dict[str, str], timeout_s: float) -> None:
        """Start the server and wait until recovery is over; without a server afterwards it has ended by itself."""
        settings = {
            "data_directory": str(self._data),
            "hba_file": str(self._root / "hba.conf"),
            "ident_file": str(self._root / "ident.conf"),
            "unix_socket_directories": str(self._root),
            "listen_addresses": "",
            "port": str(_PORT),
            "restore_command": f"sh {self._root}/fetch.sh %f %p",
            "recovery_target_timeline": str(self._timeline),
            "recovery_target_action": "promote",
            # Nobody reads before the end, so nothing must be as large as it was at the primary.
            "hot_standby": "off",
            "shared_buffers": "16MB",
            "dynamic_shared_memory_type": "posix",
            "max_wal_size": "64MB",
            "fsync": "off",
            "max_wal_senders": "0",
            "autovacuum": "off",
            **target,
        }
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        config = self._root / "postgresql.conf"
        config.write_text("".join(lines), encoding="utf-8")
        with (self._root / "log").open("wb") as output:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), f"--config-file={config}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            )
        if not until(self._over, timeout_s):
            raise RestoreError(f"recovery did not end within {timeout_s:g} s: {self._last_words()}")
        if self._server.poll() is not None:
            self._server = None

    def _over(self) -> bool:
        if self._server is None or self._server.poll() is not None:
            return True
        try:
            return self.ask("SELECT pg_is_in_recovery()") == "f"
        except AskError:
            return False

    def _stop(self) -> None:
        if self._server is None:
            return
        self._server.send_signal(3)  # at once: nothing of it is kept
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None

    def _run(self, command: list[str], what: str) -> None:
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise RestoreError(f"{what} {self._route.base.name} is damaged: {'; '.join(said[:3])}")

    def _log(self) -> str:
        return (self._root / "log").read_text(encoding="utf-8", errors="replace")

    def _last_words(self) -> str:
        lines = self._log().splitlines()
        told = [line for line in lines if "FATAL" in line or "PANIC" in line or "ERROR" in line]
        return (told or lines or ["the server said nothing"])[0].strip()


def seconds_since(started_s: float) -> float:
    """A duration for a report."""
    return round(time.monotonic() - started_s, 3)
