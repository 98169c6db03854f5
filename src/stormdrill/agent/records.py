"""What the agent must still know after a `kill -9`: the faults it has begun, and those it has ended.

    <state>/faults/<uid>.json   on disk before the first rule is made, gone after the last is removed
    <state>/ended/<uid>.json    on disk before the revert begins, gone when the object is gone: never applied again

Times are CLOCK_MONOTONIC, which holds across processes of one boot; of another boot no lease is live.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stormdrill.errors import InputError
from stormdrill.faultspec import FaultSpec, spec_of

_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")


def fit(uid: str) -> bool:
    """Whether a UID may become the name of a file and of a table."""
    return _UID.fullmatch(uid) is not None and uid != "agent"


@dataclass(frozen=True)
class Record:
    """A fault begun on this node. `renewed_s` is when its renewal was last seen to grow, `begun_s` its start."""

    uid: str
    name: str
    spec: Mapping[str, Any]
    boot: str
    begun_s: float
    begun_utc: str
    renewal: int
    renewed_s: float

    @property
    def fault(self) -> FaultSpec:
        """What was wanted when it began."""
        return spec_of(self.spec)

    @property
    def ends_s(self) -> float:
        """When it ends unless something happens, on this boot's monotonic clock."""
        fault = self.fault
        if fault.deadline_s is not None:
            return self.begun_s + fault.deadline_s
        return self.renewed_s + fault.lease_s

    @property
    def expiry(self) -> str:
        """What it is that runs out: lease or deadline."""
        return "lease" if self.fault.deadline_s is None else "deadline"

    def renewed(self, renewal: int, at_s: float) -> Record:
        """The same with a lease that was renewed."""
        return replace(self, renewal=renewal, renewed_s=at_s)


@dataclass(frozen=True)
class Ended:
    """A fault that is over on this node; `status` is what there is to say about it."""

    uid: str
    name: str
    reason: str
    status: Mapping[str, Any]


def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Records:
    """The state directory, held by one agent at a time. InputError when another holds it."""

    def __init__(self, state: Path) -> None:
        self._faults, self._ended = state / "faults", state / "ended"
        for directory in (state, self._faults, self._ended):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise InputError(f"another agent is running with {state}") from None

    def close(self) -> None:
        """Let another agent have the directory."""
        os.close(self._lock)

    def keep(self, record: Record) -> None:
        """On disk when this returns."""
        _write(self._faults / f"{record.uid}.json", asdict(record))

    def drop(self, uid: str) -> None:
        """The fault has left nothing on this node."""
        _remove(self._faults / f"{uid}.json")

    def end(self, ended: Ended) -> None:
        """On disk when this returns: whatever happens now, the fault is not applied again."""
        _write(self._ended / f"{ended.uid}.json", asdict(ended))

    def forget(self, uid: str) -> None:
        """The object is gone and cannot come back."""
        _remove(self._ended / f"{uid}.json")

    def begun(self) -> tuple[list[Record], list[str]]:
        """The faults on record, and the UIDs of records that cannot be read."""
        found, broken = [], []
        for file in sorted(self._faults.glob("*.json")):
            try:
                record = Record(**json.loads(file.read_bytes()))
                spec_of(record.spec)
                found.append(record)
            except (ValueError, TypeError):
                broken.append(file.stem)
        return found, broken

    def ended(self) -> dict[str, Ended]:
        """The faults that are over, by UID. One that cannot be read is over all the same."""
        found = {}
        for file in sorted(self._ended.glob("*.json")):
            try:
                found[file.stem] = Ended(**json.loads(file.read_bytes()))
            except (ValueError, TypeError):
                found[file.stem] = Ended(file.stem, "", "", {})
        return found


def _write(path: Path, body: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, json.dumps(body).encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    _sync(path.parent)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
