"""A real PostgreSQL 15 in a directory."""

import os
import subprocess
from pathlib import Path

import psycopg

from stormdrill import wait

from .conftest import free_port

BIN = Path("/usr/lib/postgresql/15/bin")


class Database:
    """One PostgreSQL of a directory; as another user when we are root, which PostgreSQL refuses to be."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process = None
        self._run("initdb", "--auth=trust", "--username=auditor", "--no-sync", "-D", f"{directory}/data")

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "shared_buffers": "16MB",
        }
        argv = [*self._as(), str(BIN / "postgres"), "-D", f"{self.directory}/data"]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        wait.until(self._answers, deadline_s=30, what="PostgreSQL answers")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def promote(self) -> None:
        self._run("pg_ctl", "promote", "-D", f"{self.directory}/data", "--no-wait")

    def execute(self, statement: str, *parameters: object) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement, parameters)

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=auditor dbname=postgres"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        argv = [*self._as(), str(BIN / program), *arguments]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)

    @staticmethod
    def _as() -> list[str]:
        if os.geteuid():
            return []
        return ["unshare", "-U", "--map-user=65534", "--map-group=65534"]
