"""Applies faults one at a time, has each proven and followed in the background, and reverts newest first."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from stormdrill.drill.stop import Stop
from stormdrill.errors import RevertError, StormdrillError
from stormdrill.faults import Estate, Fault, Injection, Proof
from stormdrill.wait import Patience

UNDER_WAY_S = 15.0
"""How long an application may still take after a stop: an exec of 10 s, and then some."""
STOPPED_REVERT_S = 5.0
"""How long a stopped run waits for the estate to be whole again: nothing of ours is in it by then."""
_LEAST_S = 1.0
_POLL_S = 0.1


@runtime_checkable
class Followed(Protocol):
    """A fault that has something to record while it lasts."""

    def follow(self, estate: Estate, injection: Injection, ended: threading.Event) -> None:
        """Record until nothing more is expected or `ended` is set."""


@dataclass
class _Applied:
    fault: Fault
    injection: Injection
    ended: threading.Event = field(default_factory=threading.Event)
    proven: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class Injector:
    """The only way to a fault. After the run has been stopped it refuses."""

    def __init__(self, estate: Estate, stop: Stop) -> None:
        self._estate = estate
        self._stop = stop
        self._one = threading.Lock()
        self._applied: list[_Applied] = []
        self._names: Counter[str] = Counter()
        self._under_way = ""

    @property
    def first_t0_ns(self) -> int | None:
        """When the first fault was applied (monotonic nanoseconds)."""
        return self._applied[0].injection.t0_ns if self._applied else None

    @property
    def last_t0_ns(self) -> int | None:
        """When the newest fault was applied."""
        return self._applied[-1].injection.t0_ns if self._applied else None

    @property
    def all_proven(self) -> bool:
        """Whether the proof of every fault is in, good or bad."""
        return all(applied.proven.is_set() for applied in self._applied)

    def inject(self, action: str, fault: Fault) -> dict[str, object]:
        """Apply a fault now. Aborted once the run has to end; ActionError when nothing was hurt."""
        with self._one:
            self._stop.check()
            self._names[action] += 1
            name = self._under_way = f"{action}-{self._names[action]}"
            try:
                applied = _Applied(fault, fault.inject(self._estate, name))
            except StormdrillError as error:
                self._estate.record("fault.refused", fault=fault.kind, name=name, why=str(error))
                raise
            self._applied.append(applied)
            targets = list(applied.injection.targets)
            t0_ns = applied.injection.t0_ns
            self._estate.record(
                "fault.applied", mono_ns=t0_ns, fault=fault.kind, name=name, t0_ns=t0_ns, targets=targets
            )
            applied.thread = threading.Thread(target=self._watch, args=(applied,), name=name, daemon=True)
            applied.thread.start()
        return {"name": name, "targets": targets}

    def revert_all(self, deadline_s: float) -> bool:
        """Revert newest first, all within `deadline_s`; whether everything is as before. Never raises.

        Once the run is stopped, before or meanwhile, the estate is waited for STOPPED_REVERT_S at most.
        A stop can come while a fault is being applied: its end is waited for first, up to UNDER_WAY_S.
        `fault.not_restored`: nothing of ours is left, but the estate has not replaced what was hurt.
        `revert.failed`: our fault is still there.
        """
        if not self._one.acquire(timeout=UNDER_WAY_S):
            why = f"whether it was applied is not known: that took longer than {UNDER_WAY_S:g} s"
            self._estate.record("fault.not_restored", name=self._under_way, why=why, proof={})
            self._revert_applied(deadline_s)
            return False
        try:
            return self._revert_applied(deadline_s)
        finally:
            self._one.release()

    def _revert_applied(self, deadline_s: float) -> bool:
        patience = Patience(deadline_s, lambda: self._stop.cause is not None, STOPPED_REVERT_S)
        estate = replace(self._estate, hurry=patience.over)
        gone = True
        for applied in reversed(self._applied):
            applied.ended.set()
            if applied.thread:
                _join(applied.thread, patience)
            try:
                proof = applied.fault.revert(estate, applied.injection, max(_LEAST_S, patience.left_s))
            except RevertError as error:
                self._estate.record("revert.failed", name=applied.injection.name, why=str(error))
                gone = False
                continue
            except StormdrillError as error:
                proof = Proof(False, str(error))
            kind = "fault.reverted" if proof.ok else "fault.not_restored"
            self._estate.record(kind, name=applied.injection.name, why=proof.why, proof=proof.evidence)
            gone = gone and proof.ok
        return gone

    def _watch(self, applied: _Applied) -> None:
        """In a thread of its own: prove the fault, then follow it."""
        fault, injection = applied.fault, applied.injection
        try:
            proof = fault.verify(self._estate, injection)
        except StormdrillError as error:
            proof = Proof(False, str(error))
        except Exception as error:  # noqa: BLE001 - a crashed proof is no proof, and must not be silent
            proof = Proof(False, f"the proof crashed: {type(error).__name__}: {error}")
        self._estate.record(
            "fault.proven", name=injection.name, ok=proof.ok, why=proof.why, proof=proof.evidence
        )
        applied.proven.set()
        if isinstance(fault, Followed):
            fault.follow(self._estate, injection, applied.ended)


def _join(thread: threading.Thread, patience: Patience) -> None:
    thread.join(_LEAST_S)
    while thread.is_alive() and not patience.over():
        thread.join(_POLL_S)
