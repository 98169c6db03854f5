"""The other site takes over, for one cell or several at the same time: closed, promoted, phones led there once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stormdrill.direct.failover import close, lead, promote_unfenced
from stormdrill.direct.promotion import Decision, Promotion, promote
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Side
from stormdrill.direct.together import error_of, listed, together
from stormdrill.errors import TargetError
from stormdrill.fence import FenceRecord
from stormdrill.fence.site import Tell


@dataclass
class Move:
    """One cell's database under way from `old` to `new`."""

    old: Side
    new: Side
    routes: Routes
    fenced: bool = True
    begun: bool = False  # its promotion was asked for: nothing is as it was any more
    unsure: bool = False  # it was not answered: it may come about yet
    returning: bool = False
    back: bool = False


def take_over(
    moves: Mapping[str, Move], decision: Decision, check: Callable[[], None], tell: Tell
) -> dict[str, Promotion]:
    """Close every old site, promote every new one, lead phones to their region.

    Until a promotion is asked for, `check` may raise, and all can be taken back. Nobody is promoted while one of the
    old sites may write. When one promotion fails, the others stand, phones are led to them, and the error says both.
    """
    one = next(iter(moves.values()))
    region, routes = one.new.region, one.routes
    fences = _close(moves, decision.by, check)
    check()
    routes.edges_in(region)
    work = {
        cell: partial(_promote, move, decision, fences.get(cell), check, tell) for cell, move in moves.items()
    }
    done, failed = together(work)
    if done:
        try:
            lead(region, routes, decision.by, tell)
        except TargetError as error:
            if not failed:
                raise
            failed["phones"] = error
    if failed:
        led = "" if "phones" in failed else ", and phones are led there"
        raise error_of(
            failed, len(moves) > 1, f"{listed(list(done))} took over in {region}{led}" if done else ""
        )
    return done


def _close(moves: Mapping[str, Move], by: str, check: Callable[[], None]) -> dict[str, FenceRecord]:
    work = {cell: partial(close, move.old, by, check) for cell, move in moves.items() if move.fenced}
    fences, failed = together(work)
    if failed:
        raise error_of(failed, len(work) > 1)
    return fences


def _promote(
    move: Move, decision: Decision, fence: FenceRecord | None, check: Callable[[], None], tell: Tell
) -> Promotion:
    def telling(kind: str, actor: str = "", *, mono_ns: int | None = None, **data: Any) -> object:
        if kind == "promote.started":
            move.begun = True  # from here on only `stand` knows
        return tell(kind, actor, mono_ns=mono_ns, **data)

    if not move.fenced:
        return promote_unfenced(move.new, move.old, decision, telling, check=check)
    return promote(move.new, move.old, decision, telling, seen=fence, check=check)
