"""The failover of a drill: armed before the fault, done by the method's word, and ended well whatever ends the run.

Up to the promotion a run that stops gives everything back. From the promotion on it holds, and says so: there is no
"as it was" once two timelines exist. `end` does either; it is called in every case, after the faults are gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from stormdrill import store
from stormdrill.activities import SKIPPED
from stormdrill.audit import Books
from stormdrill.direct.comeback import Journey, come_back
from stormdrill.direct.failover import call_off, close, take_over, take_over_unfenced
from stormdrill.direct.promotion import Decision, Promotion, refuse_second
from stormdrill.direct.rebuild import Wanted
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Pair, Side, fencing_of, pair_of
from stormdrill.direct.standing import DRILL, stand
from stormdrill.drill.moves import cell_of
from stormdrill.errors import ActionError, StormdrillError, TargetError
from stormdrill.estate import Topology
from stormdrill.estate_books import SqlAudit
from stormdrill.faults import Record
from stormdrill.fence import Fencing
from stormdrill.kube import Cluster
from stormdrill.store import Run
from stormdrill.units import NS_PER_S

HOLD_AFTER_S = 120.0
"""How long a stopped run waits for a promotion under way: whether it came about has to be known."""


@dataclass(frozen=True)
class Given:
    """What a switching is given by its drill.

    `check` raises once the run has to end, `pause` lets seconds pass until then. `books` reads the bank's books now.
    """

    topology: Topology
    clusters: Mapping[str, Cluster]
    record: Record
    check: Callable[[], None]
    pause: Callable[[float], None]
    run: Run
    books: Callable[[], Books]
    since: Callable[[], int]


@dataclass
class _Move:
    """One cell's database under way from `old` to `new`."""

    old: Side
    new: Side
    routes: Routes
    fenced: bool = True
    begun: bool = False  # its promotion was asked for: nothing is as it was any more
    unsure: bool = False  # it was not answered: it may come about yet
    returning: bool = False
    back: bool = False


@dataclass
class Switching:
    """The moves of one drill."""

    given: Given
    _one: threading.RLock = field(default_factory=threading.RLock)
    _armed: dict[str, Fencing] = field(default_factory=dict)
    _moves: dict[str, _Move] = field(default_factory=dict)

    @property
    def by(self) -> str:
        """Who acts, as events and fences name it."""
        return f"{DRILL}{self.given.run.id}"

    @property
    def closed(self) -> frozenset[str]:
        """Cells whose database does not stand at home, and is not to be waited for there."""
        return frozenset(cell for cell, move in list(self._moves.items()) if not move.back)

    def arm(self, region: str) -> None:
        """Arm a region's fence before the region is hurt. ActionError when it cannot be."""
        fencing = fencing_of(self.given.topology, region, self.given.clusters[region], self._tell)
        fencing.arm(self.by)
        self._armed[region] = fencing

    def fail_over(
        self, cell: str, why: str, *, after_s: float, t0_ns: int | None, fence: str = ""
    ) -> dict[str, Any]:
        """Decide, close the lost site, promote the other, lead phones there.

        The decision falls `after_s` after the fault. ActionError when anything stands against it, TargetError when
        something does not answer; Aborted when the run ends before the promotion.
        """
        cell = cell_of(self.given.topology, cell)
        old, new = self._sides(cell, fence)
        refuse_second(new)
        if t0_ns is not None:
            self.given.pause(max(0.0, after_s - (time.monotonic_ns() - t0_ns) / NS_PER_S))
        begun_ns = time.monotonic_ns()
        self._tell("decision", self.by, what=f"fail over {cell} from {old.region} to {new.region}", why=why)
        with self._one:
            self.given.check()
            move = self._moves[cell] = _Move(
                old, new, Routes.of(self.given.topology), fenced=fence != SKIPPED
            )
            try:
                promotion = self._take_over(move, Decision(self.by, why))
            except TargetError:
                move.unsure = move.begun
                raise
        written_s = (promotion.proof.mono_ns - begun_ns) / NS_PER_S
        self._tell(
            "failover.done", self.by, database=cell, region=new.region, first_write_s=round(written_s, 3)
        )
        return {"cell": cell, "region": new.region, "first_write_s": round(written_s, 3)}

    def _take_over(self, move: _Move, decision: Decision) -> Promotion:
        """Until the promotion is asked for, a stop ends this, and all can be taken back."""
        check = self.given.check

        def tell(kind: str, actor: str = "", *, mono_ns: int | None = None, **data: Any) -> object:
            if kind == "promote.started":
                move.begun = True  # from here on only `stand` knows
            return self._tell(kind, actor, mono_ns=mono_ns, **data)

        if not move.fenced:
            return take_over_unfenced(move.new, move.old, move.routes, decision, tell, check=check)
        fence = close(move.old, self.by, check)
        check()
        return take_over(move.new, move.old, move.routes, decision, tell, fence=fence, check=check)

    def fail_back(self, cell: str, why: str) -> dict[str, Any]:
        """Come back to where the database was, under load. Errors as `fail_over`; after any, it holds."""
        cell = cell_of(self.given.topology, cell)
        with self._one:
            move = self._moves.get(cell)
            if move is None:
                raise ActionError(f"{cell} was not failed over: there is nothing to come back from")
            self._tell("decision", self.by, what=f"come back with {cell} to {move.old.region}", why=why)
            move.returning = True
            if not move.fenced:  # late: books are read of the one site that writes
                close(move.old, self.by, self.given.check)
            self._keep_books()
            wanted = Wanted(
                self.by, self.given.run.path / f"fork-{cell}.json", self._sql(), self.given.since()
            )
            journey = Journey(move.old, move.new, move.routes, wanted, self.given.check)
            switched = come_back(journey, why, self._tell)
            move.back = True
        return {"cell": cell, "region": switched.region, "pause_s": round(switched.pause_s, 3)}

    def end(self) -> list[str]:
        """Leave nothing half done: what was not promoted is given back, what was is held. Never raises.

        Returns what people have to know: sentences, empty when all is as it was.
        """
        if not self._one.acquire(timeout=HOLD_AFTER_S):
            return [self._hold(f"a failover is still under way after {HOLD_AFTER_S:g} s")]
        try:
            said = [self._end_of(cell, move) for cell, move in self._moves.items() if not move.back]
            self._disarm()
        finally:
            self._one.release()
        return [text for text in said if text]

    def _sides(self, cell: str, fence: str) -> tuple[Side, Side]:
        """The side that is lost, then the other. Without a fence none has to be: the home is left writing."""
        pair: Pair = pair_of(self.given.topology, cell, self.given.clusters, self._tell)
        if fence == SKIPPED:
            return pair.home, pair.standby
        lost = [side for side in (pair.home, pair.standby) if side.region in self._armed]
        if len(lost) != 1:
            message = f"no fence of {cell} is armed: lose its region with `return: fenced` first"
            raise ActionError(message)
        return pair.in_region(lost[0].region)

    def _end_of(self, cell: str, move: _Move) -> str:
        old, new = move.old, move.new
        if move.begun and (held := self._held(cell, move)):
            return held
        try:
            call_off(old, self.by, self._tell)
        except StormdrillError as error:
            return self._hold(
                f"{cell}: {new.region} was not promoted, and {old.region} is not known to be back: {error}. "
                f"Safe: `stormdrill recover` tries again and says where it stands"
            )
        move.back = True
        return ""

    def _held(self, cell: str, move: _Move) -> str:
        """Say how it is held; empty when the promotion that was asked for is known not to come about."""
        if not move.unsure and not move.returning:
            with suppress(TargetError):
                if move.new.follows_now():
                    return ""
        return self._hold(stand(pair_of(self.given.topology, cell, self.given.clusters, self._tell)).text())

    def _hold(self, text: str) -> str:
        self.given.record("hold", self.by, why=text)
        return text

    def _disarm(self) -> None:
        for region, fencing in self._armed.items():
            if any(move.old.region == region and not move.back for move in self._moves.values()):
                continue
            try:
                fencing.disarm(self.by)
            except StormdrillError as error:
                self.given.record("fence.armed_still", self.by, site=region, why=str(error))

    def _keep_books(self) -> None:
        """What the new site has, before anything of the old one is looked at."""
        from_ns = time.monotonic_ns()
        books = self.given.books()
        path = self.given.run.path / "books-failover.json"
        store.write_json(path, {**books.to_json(), "read_from_ns": from_ns})
        self.given.record(
            "books.read",
            reader=books.reader,
            complete=books.complete,
            why=books.why,
            movements=len(books.movements),
            after="failover",
        )

    def _sql(self) -> SqlAudit | None:
        audit = self.given.topology.audit
        return audit if isinstance(audit, SqlAudit) else None

    def _tell(self, kind: str, actor: str = "", *, mono_ns: int | None = None, **data: Any) -> object:
        """To the history. In a drill the file decides: the time that people take is not exercised."""
        if kind == "decision":
            data["auto"] = True
        return self.given.record(kind, actor or self.by, mono_ns=mono_ns, **data)
