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
from functools import partial
from typing import Any

from stormdrill import store
from stormdrill.activities import SKIPPED
from stormdrill.audit import Books
from stormdrill.direct.comeback import Journey, come_back
from stormdrill.direct.failover import call_off, close
from stormdrill.direct.promotion import Decision, refuse_second
from stormdrill.direct.rebuild import Wanted
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Pair, Side, fences_in, pair_of
from stormdrill.direct.standing import DRILL, Standing, stand
from stormdrill.direct.together import listed, together
from stormdrill.drill.moves import cells_meant, one_way
from stormdrill.drill.taking_over import Move, take_over
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

    `check` raises once the run has to end, `pause` lets seconds pass until then. `books` reads the bank's books now,
    `since` tells how far a cell's had come before the load.
    """

    topology: Topology
    clusters: Mapping[str, Cluster]
    record: Record
    check: Callable[[], None]
    pause: Callable[[float], None]
    run: Run
    books: Callable[[], Books]
    since: Callable[[str], int]


@dataclass
class Switching:
    """The moves of one drill."""

    given: Given
    _one: threading.RLock = field(default_factory=threading.RLock)
    _armed: dict[str, dict[str, Fencing]] = field(default_factory=dict)  # by region and cell
    _moves: dict[str, Move] = field(default_factory=dict)

    @property
    def by(self) -> str:
        """Who acts, as events and fences name it."""
        return f"{DRILL}{self.given.run.id}"

    @property
    def closed(self) -> frozenset[str]:
        """Cells whose database does not stand at home, and is not to be waited for there."""
        return frozenset(cell for cell, move in list(self._moves.items()) if not move.back)

    def arm(self, region: str) -> None:
        """Arm the fences of a region's databases before the region is hurt. ActionError when that cannot be."""
        fences = fences_in(self.given.topology, region, self.given.clusters[region], self._tell)
        for cell, fencing in fences.items():
            fencing.arm(self.by)
            self._armed.setdefault(region, {})[cell] = fencing

    def fail_over(
        self, cell: str, why: str, *, after_s: float, t0_ns: int | None, fence: str = ""
    ) -> dict[str, Any]:
        """Decide, close the lost site, promote the other, lead phones there: of `cell`, or of every cell at home there.

        The decision falls `after_s` after the fault. ActionError when anything stands against it, TargetError when
        something does not answer; Aborted when the run ends before the promotion. Of several cells none is promoted
        before all are closed; when one is not promoted after that, phones are led to the others all the same.
        """
        cells = cells_meant(self.given.topology, cell, self._armed)
        sides = {name: self._sides(name, fence) for name in cells}
        for _, new in sides.values():
            refuse_second(new)
        way = one_way(sides)
        if t0_ns is not None:
            self.given.pause(max(0.0, after_s - (time.monotonic_ns() - t0_ns) / NS_PER_S))
        begun_ns = time.monotonic_ns()
        what = f"fail over {listed(cells)} from {way.old} to {way.new}"
        self._tell("decision", self.by, what=what, why=why)
        with self._one:
            self.given.check()
            routes = Routes.of(self.given.topology)
            moves = {
                name: Move(old, new, routes, fenced=fence != SKIPPED) for name, (old, new) in sides.items()
            }
            self._moves |= moves
            try:
                promoted = take_over(moves, Decision(self.by, why), self.given.check, self._tell)
            except TargetError:
                for move in moves.values():
                    move.unsure = move.begun
                raise
        written_s = {
            name: round((one.proof.mono_ns - begun_ns) / NS_PER_S, 3) for name, one in promoted.items()
        }
        for name, first_s in written_s.items():
            whose = moves[name].new.whose
            self._tell(
                "failover.done", self.by, database=name, region=way.new, first_write_s=first_s, **whose
            )
        return {**_named(cells), "region": way.new, "first_write_s": max(written_s.values())}

    def fail_back(self, cell: str, why: str) -> dict[str, Any]:
        """Come back to where the database was, under load: `cell`, which is the only one away, or all that are.

        Errors as `fail_over`; after any, it holds.
        """
        with self._one:
            moves = {name: move for name, move in self._moves.items() if not move.back}
            if cell not in ("", *moves) or not moves:
                raise ActionError(
                    f"{cell or 'no cell'} was not failed over: there is nothing to come back from"
                )
            if cell and len(moves) > 1:
                raise ActionError(
                    f"{listed(list(moves))} come back together: phones can be led to one region only"
                )
            where = next(iter(moves.values())).old.region
            self._tell("decision", self.by, what=f"come back with {listed(list(moves))} to {where}", why=why)
            for move in moves.values():
                move.returning = True
                if not move.fenced:  # late: books are read of the one site that writes
                    close(move.old, self.by, self.given.check)
            self._keep_books()
            journeys = [self._journey(name, move) for name, move in moves.items()]
            switched = come_back(journeys, why, self._tell)
            for move in moves.values():
                move.back = True
        pause_s = max(one.pause_s for one in switched)
        return {**_named(list(moves)), "region": where, "pause_s": round(pause_s, 3)}

    def _journey(self, cell: str, move: Move) -> Journey:
        fork = self.given.run.path / f"fork-{cell}.json"
        wanted = Wanted(self.by, fork, self._sql(), self.given.since(cell))
        return Journey(move.old, move.new, move.routes, wanted, self.given.check)

    def end(self) -> list[str]:
        """Leave nothing half done: what was not promoted is given back, what was is held. Never raises.

        Returns what people have to know: sentences, empty when all is as it was.
        """
        if not self._one.acquire(timeout=HOLD_AFTER_S):
            return [self._hold(f"a failover is still under way after {HOLD_AFTER_S:g} s")]
        try:
            away = {cell: move for cell, move in self._moves.items() if not move.back}
            held = {cell: text for cell, move in away.items() if (text := self._held(cell, move))}
            rest = {cell: move for cell, move in away.items() if cell not in held}
            if held:  # together with others that were promoted: nothing is as it was, for these neither
                said = {cell: self._hold(self._standing(cell).text()) for cell in rest}
            else:
                work = {cell: partial(self._called_off, cell, move) for cell, move in rest.items()}
                said = together(work)[0]
            self._disarm()
        finally:
            self._one.release()
        return [text for text in (*held.values(), *said.values()) if text]

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

    def _called_off(self, cell: str, move: Move) -> str:
        """Give the home back; what people have to know when that is not seen to succeed."""
        try:
            call_off(move.old, self.by, self._tell)
        except StormdrillError as error:
            return self._hold(
                f"{cell}: {move.new.region} was not promoted, and {move.old.region} is not known to be back: {error}. "
                f"Safe: `stormdrill recover` tries again and says where it stands"
            )
        move.back = True
        return ""

    def _held(self, cell: str, move: Move) -> str:
        """Say how it is held. Empty when it is not: it never was asked to be promoted, or is known not to have been."""
        if not move.begun:
            return ""
        if not move.unsure and not move.returning:
            with suppress(TargetError):
                if move.new.follows_now():
                    return ""
        return self._hold(self._standing(cell).text())

    def _standing(self, cell: str) -> Standing:
        return stand(pair_of(self.given.topology, cell, self.given.clusters, self._tell))

    def _hold(self, text: str) -> str:
        self.given.record("hold", self.by, why=text)
        return text

    def _disarm(self) -> None:
        for region, fences in self._armed.items():
            for cell, fencing in fences.items():
                move = self._moves.get(cell)
                if move and move.old.region == region and not move.back:
                    continue
                try:
                    fencing.disarm(self.by)
                except StormdrillError as error:
                    self.given.record("fence.armed_still", self.by, site=fencing.site.text, why=str(error))

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


def _named(cells: list[str]) -> dict[str, Any]:
    """The cells as an action's answer names them."""
    return {"cell": cells[0]} if len(cells) == 1 else {"cells": cells}
