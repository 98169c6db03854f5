"""An archive that runs for a test, as its pod does: the same program, without root's rights."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHECKS = Path(__file__).parents[3] / "topology/kubernetes/base/postgres/archive/checks.json"
NOT_ROOT = ["unshare", "-U", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []


@dataclass
class Archive:
    """One archive process over servers on loopback, all of them reached without a password."""

    root: Path
    ports: list[int]
    port: int
    env: dict[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    @property
    def directory(self) -> Path:
        return self.root / "archive"

    def settings(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "ARCHIVE_MEMBERS": ",".join(f"127.0.0.1:{port}" for port in self.ports),
            "ARCHIVE_DIR": str(self.directory),
            "ARCHIVE_REPLICATION_USER": "bank",
            "ARCHIVE_READER_USER": "bank",
            "ARCHIVE_LOOK_S": "0.3",
            **self.env,
        }

    def start(self) -> Archive:
        self.directory.mkdir(exist_ok=True)
        command = [*NOT_ROOT, sys.executable, "-m", "stormarchive", "keep", "--host", "127.0.0.1"]
        with (self.root / "archive.log").open("ab") as log:
            self.child = subprocess.Popen(
                [*command, "--port", str(self.port)], env=self.settings(), stderr=log
            )
        return self

    def stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(15)
        self.child = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold it still with its receiver: what is sent to it waits in its sockets."""
        assert self.child is not None
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        held = [self.child.pid, *map(int, children)]
        try:
            for pid in held:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in held:
                os.kill(pid, signal.SIGCONT)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*NOT_ROOT, sys.executable, "-m", "stormarchive", *arguments]
        return subprocess.run(
            command, env=self.settings(), capture_output=True, text=True, timeout=120, check=False
        )

    def restore(self, *wish: str, code: int = 0, checks: Path = CHECKS) -> dict[str, Any]:
        """Restore, and return the report; nothing may be left."""
        scratch = self.root / "scratch"
        options = ["--checks", str(checks), "--scratch", str(scratch), "--role", "bank", "--timeout", "60"]
        done = self.run("restore", *wish, *options)
        assert done.returncode == code, (done.stdout, done.stderr)
        assert not scratch.exists() or list(scratch.iterdir()) == []
        return json.loads(done.stdout)

    def log(self) -> str:
        return (self.root / "archive.log").read_text()

    def metric(self, name: str) -> float:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return -1.0
        return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))

    def settled(self, eventually: Callable[..., Any]) -> None:
        """Wait until everything of now is here, and a base backup."""
        now_s = time.time()
        eventually(
            lambda: self.metric("archive_whole_until_seconds") >= now_s, 30, f"it is here: {self.log()}"
        )
        eventually(lambda: self.metric("archive_bases") >= 1, 30, f"a base backup: {self.log()}")


@pytest.fixture
def archives(server, bank, standby, tmp_path):
    """Make archives of the primary and its standby; all end with the test."""
    made: list[Archive] = []
    # What an archive relies on in place of a slot: the primary keeps so much log for whoever is late.
    for each in (server, standby):
        each.setting("wal_keep_size", "64MB")

    def make(name: str = "archive", **env: str) -> Archive:
        root = tmp_path / name
        root.mkdir()
        ports = [server.port, standby.port]
        archive = Archive(root, ports, type(server)(root).port, {"ARCHIVE_NAME": name, **env})
        made.append(archive)
        return archive

    yield make
    for archive in made:
        archive.stop()
    if server.process is None:
        server.start()
    server.query("ALTER SYSTEM RESET ALL")
    server.query("SELECT pg_reload_conf()")
