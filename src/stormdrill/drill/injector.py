"""Applies faults one at a time, has each proven and followed in the background, and reverts newest first."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from stormdrill.drill.stop import Stop
from stormdrill.errors import ActionError, RevertError, StormdrillError
from stormdrill.faults import Estate, Fault, Injection, Proof
from stormdrill.faults.canaries import Flow
from stormdrill.wait import Patience

UNDER_WAY_S = 15.0
"""How long an application may still take after a stop: an exec of 10 s, and then some."""
HEAL_S = 300.0
"""How long the method waits for the estate to be whole again after a fault was healed."""
STOPPED_REVERT_S = 5.0
"""How long a stopped run waits for the estate to be whole again: nothing of ours is in it by then."""
_LEAST_S = 1.0
_POLL_S = 0.1


@runtime_checkable
class Followed(Protocol):
    """A fault that has something to record while it lasts."""

    def follow(self, estate: Estate, injection: Injection, ended: threading.Event) -> None:
        """Record until nothing more is expected or `ended` is set."""


@runtime_checkable
class LetsGo(Protocol):
    """A fault that can be told to go without waiting until it is gone."""

    def let_go(self, estate: Estate, injection: Injection) -> None:
        """Ask for its end. Never raises."""

    def breaks(self, injection: Injection) -> frozenset[Flow]:
        """The flows between zones that do not work while it lasts."""


@dataclass
class _Applied:
    fault: Fault
    injection: Injection
    ended: threading.Event = field(default_factory=threading.Event)
    proven: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    let_go: bool = False
    over: bool = False  # healed within the method


class Injector:
    """The only way to a fault. After the run has been stopped it refuses."""

    def __init__(self, estate: Estate, stop: Stop) -> None:
        self._estate = replace(estate, severed=self._severed)
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
            except RevertError as error:
                self._estate.record("revert.failed", name=name, why=str(error))
                raise
            except StormdrillError as error:
                self._estate.record("fault.refused", fault=fault.kind, name=name, why=str(error))
                raise
            self._applied.append(applied)
            targets = list(applied.injection.targets)
            t0_ns = applied.injection.t0_ns
            self._estate.record(
                "fault.applied", mono_ns=t0_ns, fault=fault.kind, name=name, t0_ns=t0_ns, targets=targets,
                in_place_ns=applied.injection.in_place_ns,
            )  # fmt: skip
            applied.thread = threading.Thread(target=self._watch, args=(applied,), name=name, daemon=True)
            applied.thread.start()
        return {"name": name, "targets": targets}

    def heal(self, name: str = "") -> list[str]:
        """Revert the fault of that name, or all that last, newest first; their names.

        ActionError when there is none, or the estate is not whole again, RevertError when one is still there.
        """
        with self._one:
            chosen = [a for a in self._applied if self._lasts(a) and name in ("", a.injection.name)]
            if not chosen:
                raise ActionError(f"{name or 'there is nothing'} to heal: it was not applied, or is over")
            for applied in chosen:
                self._await_proof(applied)
            patience = Patience(HEAL_S, lambda: self._stop.cause is not None, STOPPED_REVERT_S)
            failed = self._revert(chosen, patience)
        for applied in chosen:
            applied.over = applied.injection.name not in failed
        lingering = [why for why in failed.values() if isinstance(why, RevertError)]
        if lingering:
            raise RevertError("; ".join(str(why) for why in lingering))
        if failed:
            raise ActionError("; ".join(str(why) for why in failed.values()))
        return [applied.injection.name for applied in chosen]

    def _await_proof(self, applied: _Applied) -> None:
        """What is healed before it was seen could never be proven. A proof has its own deadline."""
        while not applied.proven.wait(_POLL_S):
            self._stop.check()

    def _severed(self) -> frozenset[Flow]:
        """What the faults that last break between zones."""
        lasting = [applied for applied in [*self._applied] if not applied.let_go]
        return frozenset[Flow]().union(
            *(one.fault.breaks(one.injection) for one in lasting if isinstance(one.fault, LetsGo))
        )

    @staticmethod
    def _lasts(applied: _Applied) -> bool:
        return isinstance(applied.fault, LetsGo) and not applied.over

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
        return not self._revert([applied for applied in self._applied if not applied.over], patience)

    def _revert(self, chosen: list[_Applied], patience: Patience) -> dict[str, StormdrillError]:
        """Revert these, newest first; what went wrong, by name. All that can be let go are, before any waiting."""
        estate, failed = replace(self._estate, hurry=patience.over), dict[str, StormdrillError]()
        for applied in reversed(chosen):
            if isinstance(applied.fault, LetsGo):
                applied.let_go = True
                applied.fault.let_go(estate, applied.injection)
        for applied in reversed(chosen):
            applied.ended.set()
            if applied.thread:
                _join(applied.thread, patience)
            name = applied.injection.name
            try:
                proof = applied.fault.revert(estate, applied.injection, max(_LEAST_S, patience.left_s))
            except RevertError as error:
                self._estate.record("revert.failed", name=name, why=str(error))
                failed[name] = error
                continue
            except StormdrillError as error:
                proof = Proof(False, str(error))
            kind = "fault.reverted" if proof.ok else "fault.not_restored"
            self._estate.record(kind, name=name, why=proof.why, proof=proof.evidence)
            if not proof.ok:
                failed[name] = ActionError(f"{name}: {proof.why}")
        return failed

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
