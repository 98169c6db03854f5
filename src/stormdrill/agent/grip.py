"""What this node is under and what it has been under: faults are begun and ended here, each step on disk first."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stormdrill.agent import armed, netfilter, rules
from stormdrill.agent.held import Held, utc
from stormdrill.agent.records import Ended, Record, Records, boot_id
from stormdrill.agent.report import Pods, Reporter
from stormdrill.agent.site_loss import Killer
from stormdrill.errors import ActionError, InputError
from stormdrill.faultspec import FaultKind, FaultSpec, NodeState, NodeStatus, spec_body, status_body

_AGAIN_S = 0.5
EVIDENCE_S = 3.0
SWEEP_S = 15.0


@dataclass(frozen=True)
class Place:
    """One node: its name, its agent's, its control groups, and the labels a site loss spares."""

    node: str
    agent: str
    cgroup: Path
    spare: Mapping[str, str] = field(default_factory=dict)


class Grip:
    """One node's faults, by UID: `held` while there may be anything of them, `ended` until the object is gone."""

    def __init__(self, place: Place, records: Records, reporter: Reporter) -> None:
        self._place, self._records, self._reporter = place, records, reporter
        self._boot = boot_id()
        self.api: tuple[rules.Endpoint, ...] = ()
        self.held: dict[str, Held] = {}
        self.ended: dict[str, Ended] = {}
        self.sweep_s = 0.0

    def newest_first(self) -> list[Held]:
        """The order in which faults are taken away."""
        return sorted(self.held.values(), key=lambda held: held.record.begun_s, reverse=True)

    def take_up(self) -> None:
        """Before anything else: end what has no live lease, go on with what has one, and mark our own packets.

        Without nft nothing can be ended now; the agent lives, tries on, and says so of every fault it is given.
        """
        self.ended = self._records.ended()
        begun, broken = self._records.begun()
        for uid in broken:
            attempt(lambda uid=uid: self._records.drop(uid))  # type: ignore[misc]
        for record in begun:
            self.held[record.uid] = Held(record, NodeState.APPLIED)
        self.sweep()
        tables = _tables()
        live = []
        for held in self.newest_first():
            record = held.record
            if record.uid in self.ended:
                self._end_again(held, self.ended[record.uid])
            elif record.boot != self._boot or time.monotonic() >= record.ends_s:
                self.end(held, record.expiry)
            else:
                live.append(held)
        attempt(lambda: netfilter.run(rules.own()))
        for held in reversed(live):
            held.bare = tables is not None and held.table not in tables
            self._put(held, there=tables is not None and held.table in tables)

    def sweep(self) -> None:
        """Remove the tables of faults that are not held here; `sweep_s` is when that is due again.

        At every start, and later: the nft of an agent that was killed may outlive it, and be slow.
        """
        tables = _tables()
        ours = {held.table for held in self.held.values()}
        done = tables is not None
        for table in (tables or set()) - ours:
            done = self._remove(table) and done
        self.sweep_s = time.monotonic() + (SWEEP_S if done else _AGAIN_S)

    def begin(self, uid: str, name: str, spec: FaultSpec, at_s: float) -> None:
        """Apply a fault whose renewal was seen at `at_s`. What goes wrong ends it as failed."""
        begun_s = time.monotonic()
        record = Record(uid, name, spec_body(spec), self._boot, begun_s, utc(), spec.renewal, at_s)
        held = self.held[uid] = Held(record, bare=True)
        try:
            self._records.keep(record)
        except OSError as error:
            self.fail(held, f"the undo cannot be recorded: {error}")
            return
        self._put(held, there=False)

    def renew(self, held: Held, renewal: int, at_s: float) -> None:
        """The lease was seen to be renewed. The kernel is told first: what it does not take lengthens no lease."""
        longer = held.record.renewed(renewal, at_s)
        if longer.ends_s > held.record.ends_s:
            script = armed.renewal(held.table, longer.ends_s - time.monotonic())
            if not attempt(lambda: netfilter.run(script)):
                longer = held.record.renewed(renewal, held.record.renewed_s)
        held.record = longer
        attempt(lambda: self._records.keep(held.record))

    def end(self, held: Held, reason: str) -> None:
        """Take it away; when that fails, it is due again until it does not. The first reason stays."""
        uid, name = held.record.uid, held.record.name
        held.reason, held.state = held.reason or reason, NodeState.REVERTED
        held.look()
        if uid not in self.ended:
            said = status_body(held.status(self._place.agent))
            self.close(Ended(uid, name, held.reason, said))
        try:
            netfilter.run(rules.removal(held.table))
        except ActionError as error:
            if not held.bare:
                held.state, held.due_s = NodeState.REVERTING, time.monotonic() + _AGAIN_S
                self.tell(held, f"cannot be taken away: {error}")
                return
        attempt(lambda: self._records.drop(uid))
        del self.held[uid]
        self.tell(held)

    def fail(self, held: Held, why: str) -> None:
        """It cannot be applied (or not wholly): take away what there is of it."""
        held.failure = why
        self.end(held, "")

    def _end_again(self, held: Held, ended: Ended) -> None:
        """Finish an end that was begun by an earlier agent; what is said of it is what that one had to say."""
        said = ended.status
        held.seen = dict(said.get("evidence") or {})
        held.rules, held.took_ms = int(held.seen.pop("rules", 0)), float(said.get("tookMs", 0.0))
        if said.get("state") == NodeState.FAILED.value:
            held.failure = str(said.get("why") or "it could not be applied")
        self.end(held, ended.reason or ("" if held.failure else "unknown"))

    def never(self, uid: str, name: str) -> None:
        """It was over before it began here."""
        status = NodeStatus(
            NodeState.REVERTED, "never applied", "wanted", reverted_at=utc(), agent=self._place.agent
        )
        self.close(Ended(uid, name, "wanted", status_body(status)))
        self._reporter.tell(uid, name, status)

    def close(self, ended: Ended) -> None:
        """From now on it is not applied again, whatever happens."""
        self.ended[ended.uid] = ended
        attempt(lambda: self._records.end(ended))

    def forget(self, uid: str) -> None:
        """Its object is gone: end it, and lose every trace once it has ended."""
        if uid in self.held:
            self.end(self.held[uid], "deleted")
        if uid not in self.held and uid in self.ended:
            del self.ended[uid]
            attempt(lambda: self._records.forget(uid))
            self._reporter.forget(uid)

    def again(self, uid: str) -> None:
        """Say once more how it ended: the API server does not know."""
        self._reporter.tell(uid, self.ended[uid].name, self.ended[uid].status)

    def know(self, pods: Pods) -> None:
        """The node's pods are known (again): site losses kill them, and are applied once they have."""
        for held in self.newest_first():
            if held.killer is None or held.over:
                continue
            if pods.why:
                held.killer.trouble = f"the pods of this node cannot be listed: {pods.why}"
                continue
            held.killer.know(pods.items)
            held.killer.strike()
            if held.state is NodeState.APPLYING and not held.killer.trouble:
                held.applied()
                held.look()
                self.tell(held)

    def ask(self, held: Held) -> None:
        """Have the node's pods listed for a site loss."""
        held.asked_s = time.monotonic()
        self._reporter.ask_pods()

    def tell(self, held: Held, why: str = "") -> None:
        """Report how far it is."""
        self._reporter.tell(held.record.uid, held.record.name, held.status(self._place.agent, why))

    def _put(self, held: Held, *, there: bool) -> None:
        """Make the rules, unless they are there: a table is made at once or not at all."""
        spec = held.record.fault
        targets = [target for target in spec.targets if target.node == self._place.node]
        try:
            left_s = held.record.ends_s - time.monotonic()
            text = rules.script(held.record.uid, spec.kind, targets, left_s, self.api)
            if not there:
                netfilter.run(rules.own() + text)  # both or none: unmarked, the agent would cut itself off
            held.bare = False
        except (netfilter.NothingDoneError, InputError) as error:
            self.fail(held, str(error))
            return
        except ActionError as error:
            held.bare = False
            self.fail(held, str(error))
            return
        held.rules, held.due_s = rules.count(text), time.monotonic() + EVIDENCE_S
        if spec.kind is FaultKind.SITE_LOSS:
            held.killer = Killer(self._place.cgroup, self._place.spare)
            self.ask(held)
        else:
            held.applied()
        self.tell(held)

    @staticmethod
    def _remove(table: str) -> bool:
        return attempt(lambda: netfilter.run(rules.removal(table)))


def attempt(act: Callable[[], None]) -> bool:
    """What fails here must not keep the rest from being taken away: it is said, and life goes on. Whether it did."""
    try:
        act()
    except (ActionError, OSError) as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return True


def _tables() -> set[str] | None:
    """The tables of faults; None when nft cannot say."""
    try:
        return set(netfilter.fault_tables())
    except ActionError as error:
        print(error, file=sys.stderr, flush=True)
        return None
