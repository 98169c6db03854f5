"""The agent's loop: one thread that is told by messages and by its own clock what to begin and what to end.

Nothing here waits for the API: what is to be said goes to the reporter. At any line it may be killed; the next
start takes it up from the records (`Grip.take_up`).
"""

from __future__ import annotations

import queue
import sys
import time

from stormdrill.agent import netfilter, rules
from stormdrill.agent.grip import EVIDENCE_S, Grip, attempt
from stormdrill.agent.held import Held
from stormdrill.agent.records import Ended, fit
from stormdrill.agent.report import Pods
from stormdrill.agent.site_loss import Killer
from stormdrill.agent.watch import Gone, Inbox, Json, Listed, Seen
from stormdrill.faultspec import Desired, FaultSpec, NodeState, spec_of

_TURN_S = 1.0
_KILL_S = 0.1
_ASK_S = 0.5
_PODS_WITHIN_S = 2.0
_OVER = ("reverted", "failed")


class Stop:
    """The message that ends the loop: everything is taken away first."""


class Engine:
    """One node's decisions. Of one thread, but for `active` and `turned_s`, which others may read."""

    def __init__(self, node: str, grip: Grip, inbox: Inbox) -> None:
        self._node, self._grip, self._inbox = node, grip, inbox
        self._unproven: dict[str, int] = {}
        """Faults that may have been left by a holder that is gone, with the renewal they had: it must grow."""
        self.turned_s = time.monotonic()

    @property
    def active(self) -> dict[str, int]:
        """How many faults are in which state."""
        states = [held.state.value for held in self._grip.held.copy().values()]
        return {state: states.count(state) for state in states}

    def run(self) -> None:
        """Until a `Stop`; then everything is taken away."""
        while True:
            try:
                message = self._inbox.get(timeout=max(0.0, self._next_s() - time.monotonic()))
            except queue.Empty:
                message = None
            if isinstance(message, Stop):
                break
            self.turned_s = time.monotonic()
            self._expire()
            self._hear(message)
            self._work()
        for held in self._grip.newest_first():
            self._grip.end(held, "stopped")
        attempt(lambda: netfilter.run(rules.removal(rules.OWN_TABLE)))

    def _hear(self, message: object) -> None:
        match message:
            case Listed():
                self._grip.api = message.api or self._grip.api
                there = {str(one["metadata"]["uid"]) for one in message.objects}
                for uid in (self._grip.held.keys() | self._grip.ended.keys() | self._unproven.keys()) - there:
                    self._gone(uid)
                for body in message.objects:
                    self._see(body, message.at_s, after_gap=message.after_gap)
            case Seen():
                self._see(message.body, message.at_s)
            case Gone():
                self._gone(str(message.body["metadata"]["uid"]))
            case Pods():
                self._grip.know(message)

    def _gone(self, uid: str) -> None:
        self._unproven.pop(uid, 0)
        self._grip.forget(uid)

    def _see(self, body: Json, at_s: float, *, after_gap: bool = False) -> None:
        meta = body["metadata"]
        uid, name = str(meta["uid"]), str(meta["name"])
        try:
            spec = spec_of(body.get("spec") or {})
        except ValueError as error:
            print(f"fault {name}: {error}", file=sys.stderr, flush=True)
            return
        held = self._grip.held.get(uid)
        if held is not None:
            self._hold(held, spec, at_s, deleted="deletionTimestamp" in meta)
            return
        if not fit(uid) or not any(target.node == self._node for target in spec.targets):
            return
        said = ((body.get("status") or {}).get("nodes") or {}).get(self._node) or {}
        if uid in self._grip.ended:
            if said.get("state") not in _OVER:
                self._grip.again(uid)
        elif said.get("state") in _OVER:
            self._grip.close(Ended(uid, name, str(said.get("reason", "")), said))
        elif spec.desired is Desired.REVERTED or "deletionTimestamp" in meta:
            self._grip.never(uid, name)
        elif after_gap or spec.renewal <= self._unproven.get(uid, -1):
            self._unproven.setdefault(uid, spec.renewal)
        else:
            self._unproven.pop(uid, 0)
            self._grip.begin(uid, name, spec, at_s)

    def _hold(self, held: Held, spec: FaultSpec, at_s: float, *, deleted: bool) -> None:
        """What is cut stays what it was at the beginning; only the lease and the wish for an end are heard."""
        if held.over:
            return
        if deleted or spec.desired is Desired.REVERTED:
            self._grip.end(held, "deleted" if deleted else "wanted")
        elif spec.renewal > held.record.renewal:
            self._grip.renew(held, spec.renewal, at_s)

    def _expire(self) -> None:
        now = time.monotonic()
        for held in self._grip.newest_first():
            if not held.over and now >= held.record.ends_s:
                self._grip.end(held, held.record.expiry)

    def _work(self) -> None:
        if time.monotonic() >= self._grip.sweep_s:
            self._grip.sweep()
        for held in self._grip.newest_first():
            late = time.monotonic() >= held.due_s
            if held.over:
                if late:
                    self._grip.end(held, held.reason)
                continue
            if held.killer is not None and not self._kill(held, held.killer):
                continue
            if late and held.state is NodeState.APPLIED:
                held.due_s = time.monotonic() + EVIDENCE_S
                if held.look():
                    self._grip.tell(held)

    def _kill(self, held: Held, killer: Killer) -> bool:
        """Kill on sight; whether the fault goes on."""
        now, applied = time.monotonic(), held.state is NodeState.APPLIED
        if applied:
            killer.strike()
        elif killer.trouble and now - held.record.begun_s > _PODS_WITHIN_S:
            self._grip.fail(held, killer.trouble)
            return False
        if now - held.asked_s > (EVIDENCE_S if applied else _ASK_S):
            self._grip.ask(held)
        return True

    def _next_s(self) -> float:
        soon = time.monotonic() + _TURN_S
        for held in self._grip.held.values():
            soon = min(soon, held.due_s if held.over else held.record.ends_s)
            if held.killer is not None:
                soon = min(soon, time.monotonic() + _KILL_S)
        return soon
