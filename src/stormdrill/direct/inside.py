"""Runs inside a pod on the volume of a database member that is stopped; never part of the harness's own process.

`bench` sends this file's text into the pod, where Patroni's own interpreter and settings are: standard library and
Patroni only. `python -c TEXT VERB [ARGUMENT...]` writes one JSON object; it exits 1 with `{"error": ...}`.

read      start PostgreSQL on the volume as a reader: it replays its own log to the end, follows nobody, listens on
          no port and takes no writes. Says timeline, earlier timelines with their ends, and the end of the log.
rows      the rows of a query (ARGUMENT: database, query) through that reader
commits   the commits in the log of a timeline (ARGUMENT: timeline, from and to in bytes; to 0: its end)
stop      stop the reader
clock     what time it is here, as the database's commits have it: seconds since 1970
follow    the store's settings for this site: a standby cluster (ARGUMENT: JSON), to be founded anew
wipe      remove the data directory
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUN = Path("/tmp/stormdrill")  # noqa: S108 - a pod of our own
SETTINGS = "/etc/patroni"
# What a standby must have at least as large as its primary had: they stand in the control file.
NEEDED = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
READER = {
    "listen_addresses": "", "unix_socket_directories": str(RUN), "hba_file": str(RUN / "hba"),
    "primary_conninfo": "", "primary_slot_name": "", "restore_command": "", "hot_standby": "on",
    "recovery_target_timeline": "latest", "archive_mode": "off", "synchronous_standby_names": "",
    "logging_collector": "off", "shared_preload_libraries": "",
}  # fmt: skip
HISTORY = re.compile(r"[0-9A-F]{8}\.history")
COMMIT = re.compile(r"tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+).*desc: COMMIT(?:_PREPARED)? ([^;]+)")
END = "SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint, pg_is_in_recovery(), pg_sleep(0.3)"
Said = dict[str, Any]


def settings() -> Any:
    """Patroni's own configuration, as Patroni reads it."""
    from patroni.config import Config  # noqa: PLC0415 - there is no Patroni where the text is read

    return Config(os.environ.get("PATRONI_CONFIG", SETTINGS), None)


def data_directory() -> Path:
    """Where the member keeps its database."""
    return Path(settings()["postgresql"]["data_dir"])


def run(name: str, *arguments: str, fine: str = "") -> str:
    """Output of one of PostgreSQL's programs; a failure whose text has `fine` in it is none."""
    program = Path(settings()["postgresql"].get("bin_dir") or "", name)
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)
    if done.returncode and not (fine and fine in done.stderr):
        raise RuntimeError(f"{name}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def control(data: Path) -> dict[str, str]:
    """The control file's lines."""
    lines = run("pg_controldata", str(data)).splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def sql(database: str, query: str) -> str:
    """A query's rows as text, columns with `|` between."""
    user = (
        (settings()["postgresql"].get("authentication") or {})
        .get("superuser", {})
        .get("username", "postgres")
    )
    return run("psql", "-XqAt", "-h", str(RUN), "-U", user, "-d", database, "-c", query)


def read() -> Said:
    """Start the reader and wait until it has read its log to the end."""
    data = data_directory()
    if not (data / "PG_VERSION").exists() or unfinished(data):
        return {"empty": True}
    RUN.mkdir(exist_ok=True)
    (RUN / "hba").write_text("local all all trust\n")
    # Nobody else has this volume: what the file names died with the pod it lived in.
    for stale in ("postmaster.pid", "recovery.signal"):
        (data / stale).unlink(missing_ok=True)
    (data / "standby.signal").touch()
    before = control(data)
    options = READER | {name: before[line] for name, line in NEEDED.items() if line in before}
    text = " ".join(f"-c {name}='{value}'" for name, value in options.items())
    run("pg_ctl", "-D", str(data), "-w", "-t", "60", "-l", str(RUN / "log"), "-o", text, "start")
    ended = history(data, int(control(data)["Latest checkpoint's TimeLineID"]))
    said = {"timeline": ended[-1][0], "history": ended[:-1], "lsn": log_end()}
    return {"empty": False, "state": before["Database cluster state"], **said}


def unfinished(data: Path) -> bool:
    """Whether it is a base backup that was cut off: the control file comes last, and without it nothing ever ran."""
    return (data / "backup_label").exists() and not (data / "global" / "pg_control").exists()


def log_end() -> int:
    """Where the log ends: where the reader's position stands still."""
    last = ""
    for _ in range(200):
        lsn, recovering = sql("postgres", END).split("|")[:2]
        if recovering != "t":
            raise RuntimeError("the reader is no standby")
        if lsn == last:
            return int(lsn)
        last = lsn
    raise RuntimeError("the reader finds ever more log")


def history(data: Path, checkpoint: int) -> list[list[int]]:
    """Timelines up to the newest whose history is on the volume, each with the position where it ended (0: not)."""
    wal = data / "pg_wal"
    newest = max(
        [checkpoint] + [int(one.name[:8], 16) for one in wal.iterdir() if HISTORY.fullmatch(one.name)]
    )
    path = wal / f"{newest:08X}.history"
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [[int(row[0]), bytes_of(row[1])] for row in rows if row and row[0].isdigit()] + [[newest, 0]]


def bytes_of(lsn: str) -> int:
    """A position in bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def lsn_of(position: str) -> str:
    """A position as PostgreSQL writes it."""
    return f"{int(position) >> 32:X}/{int(position) & 0xFFFFFFFF:X}"


def rows(database: str, query: str) -> Said:
    """A query's rows as lists."""
    query = query.strip().rstrip(";")
    text = sql(database, f"SELECT coalesce(json_agg(to_json(q)), '[]') FROM ({query}) q")  # noqa: S608 - the topology's own
    return {"rows": [list(row.values()) for row in json.loads(text)]}


def commits(timeline: str, start: str, end: str) -> Said:
    """Commits in the log of a timeline: transaction, position, time as the server wrote it."""
    options = [
        "-p",
        str(data_directory() / "pg_wal"),
        "-t",
        timeline,
        "-s",
        lsn_of(start),
        "-r",
        "Transaction",
    ]
    options += ["-e", lsn_of(end)] if int(end) else []
    # It fails at the end of the log, as it always does without an end; any other failure is one.
    text = run("pg_waldump", *options, fine="error in WAL record at")
    found = [match.groups() for match in map(COMMIT.search, text.splitlines()) if match]
    return {"commits": [{"xid": xid, "lsn": bytes_of(lsn), "at": at.strip()} for xid, lsn, at in found]}


def stop() -> Said:
    """Stop the reader, if it runs."""
    data = data_directory()
    if (data / "postmaster.pid").exists():
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    return {}


def clock() -> Said:
    """The node's clock now."""
    return {"clock": time.time()}


def follow(change: str) -> Said:
    """Settings first, and only then the permission to found the cluster anew: in between, nobody founds anything."""
    from patroni.dcs import get_dcs  # noqa: PLC0415 - as above

    dcs = get_dcs(settings())
    cluster = dcs.get_cluster()
    if cluster.leader is not None and cluster.leader.name:
        # Whoever held the key died with it: every member of this site is stopped, or its volume would not be here.
        # The key may be removed in its holder's name only.
        dcs._name = cluster.leader.name  # noqa: SLF001 - Patroni offers no other way
        if not dcs.delete_leader(cluster.leader):
            raise RuntimeError(f"the leader's key of {cluster.leader.name} could not be removed")
    before = cluster.config.data if cluster.config else None
    if not before:
        raise RuntimeError("the store has no settings of this cluster")
    changed = {**before, **json.loads(change)}
    wanted = {name: value for name, value in changed.items() if value is not None}
    dcs.set_config_value(json.dumps(wanted, separators=(",", ":")))
    seen = dcs.get_cluster().config
    if not seen or (seen.data or {}).get("standby_cluster") != wanted["standby_cluster"]:
        raise RuntimeError("the store does not show the settings that were written to it")
    dcs.delete_sync_state()
    dcs.cancel_initialization()
    return {"settings": wanted}


def wipe() -> Said:
    """Remove the data directory, and what Patroni set aside of it."""
    data = data_directory()
    for place in (data, data.with_name(data.name + ".failed")):
        shutil.rmtree(place, ignore_errors=True)
    if data.exists():
        raise RuntimeError(f"{data} is still there")
    return {}


VERBS: dict[str, Callable[..., Said]] = {
    "read": read, "rows": rows, "commits": commits, "stop": stop, "clock": clock, "follow": follow, "wipe": wipe,
}  # fmt: skip


def main(verb: str, *arguments: str) -> int:
    """Do one thing and say so."""
    try:
        said = VERBS[verb](*arguments)
    # The caller is on the other side of an exec: it gets the reason, not a traceback.
    except Exception as error:  # noqa: BLE001
        said = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said))
    return 1 if "error" in said else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
