"""Where a cell's database stands between its two sites, what is safe from there, and what is not.

Asked, not remembered: whoever began a failover may have died over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from stormdrill.direct.side import Pair
from stormdrill.errors import TargetError
from stormdrill.fence import FenceRecord, State

T = TypeVar("T")


class Place(StrEnum):
    """What a pair of sites is in."""

    HOME = "home"  # as always
    ARMED = "armed"  # as always; a fence stands ready
    CLOSED = "closed"  # nobody writes, nobody was promoted
    AWAY = "away"  # the other site leads, the home is closed
    RETURNING = "returning"  # the other site leads, the home follows it
    OPEN = "open"  # the other site leads, and nothing keeps the home from writing
    NEITHER = "neither"  # each follows the other: a switch back was cut off in between
    SPLIT = "split"  # the other site was promoted, and the home writes
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Standing:
    """One cell's. `why` is what could not be asked."""

    cell: str
    home: str
    away: str
    place: Place
    fence: FenceRecord | None
    why: str = ""

    @property
    def usual(self) -> bool:
        """Whether a drill may begin from here."""
        return self.place in (Place.HOME, Place.ARMED) or (
            self.place is Place.UNKNOWN and (self.fence is None or self.fence.state is not State.CLOSED)
        )

    @property
    def of_a_drill(self) -> bool:
        """Whether the fence is the doing of a drill, not of people."""
        return self.fence is not None and self.fence.by.startswith(DRILL)

    def text(self) -> str:
        """Where things stand, what is safe and what is refused."""
        return f"{self.cell}: {_SAID[self.place](self)}"


DRILL = "drill "
"""What the names of drills begin with where they act on a fence."""


def stand(pair: Pair) -> Standing:
    """Look. Never raises: what does not answer is `UNKNOWN`, with the reason."""
    home, away = pair.home, pair.standby
    trouble: list[str] = []

    def asked(what: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except TargetError as error:
            trouble.append(f"{what}: {error}")
            return None

    follows = asked(f"{away.region}'s database", away.follows_now)
    fence = asked(f"{home.region}'s fence", home.fencing.record)
    if follows:
        places = {State.CLOSED: Place.CLOSED, State.ARMED: Place.ARMED}
        place = places.get(fence.state, Place.HOME) if fence else Place.HOME
        # A closed home has nobody who could be asked, and follows nobody.
        if place is not Place.CLOSED and asked(f"{home.region}'s database", home.follows_now):
            place = Place.NEITHER
    elif follows is None:
        place = Place.UNKNOWN
    elif home.takes_writes():
        place = Place.SPLIT
    elif fence and fence.state is State.CLOSED:
        place = Place.AWAY
    else:
        following = asked(f"{home.region}'s database", home.follows)
        place = Place.RETURNING if following else Place.OPEN
    return Standing(home.cell, home.region, away.region, place, fence, "; ".join(trouble))


def _fence(standing: Standing) -> str:
    fence = standing.fence
    if fence is None or fence.state is not State.CLOSED:
        return f"{standing.home} is not closed"
    how = fence.how.value if fence.how else "not proven"
    return f"{standing.home} is closed for writers ({how}), by {fence.by} at {fence.at}"


def _edges(standing: Standing) -> str:
    fence = standing.fence
    if fence is None or not fence.edges_shut:
        return ""
    return f"; its edges were shut by {fence.by} and not opened again (`stormdrill recover`, when a drill did it)"


_SAID: dict[Place, Callable[[Standing], str]] = {
    Place.HOME: lambda s: f"{s.home} leads, {s.away} follows it{_edges(s)}",
    Place.ARMED: lambda s: f"{s.home} leads, {s.away} follows it; the fence of {s.home} is armed",
    Place.CLOSED: lambda s: (
        f"{_fence(s)}, and {s.away} has not been promoted: nobody takes writes. Safe: open {s.home} again "
        f"(`stormdrill recover`, when a drill closed it), or promote {s.away} by the runbook. Not: a drill"
    ),
    Place.AWAY: lambda s: (
        f"{s.away} has been promoted and leads; {_fence(s)}. Safe: hold, {s.away} goes on serving; or go forward: "
        f"rebuild {s.home} as its standby and switch back (`stormdrill recover --come-back`, or the runbook). "
        f"Refused: to open {s.home} as it was, a second failover, a drill"
    ),
    Place.RETURNING: lambda s: (
        f"{s.away} leads and {s.home} follows it. Safe: hold; or switch back "
        f"(`stormdrill recover --come-back`, or the runbook). Refused: a second failover, a drill"
    ),
    Place.NEITHER: lambda s: (
        f"{s.home} and {s.away} follow each other: a switch between them was cut off, nobody leads and nobody takes "
        f"writes; nothing is lost by that. Safe: give them back to the one that has all (`stormdrill recover`), then "
        f"switch back again (`stormdrill recover --come-back`, or the runbook). Refused: a failover, a drill"
    ),
    Place.OPEN: lambda s: (
        f"{s.away} has been promoted, and nothing keeps {s.home} from writing when it is back. Safe: close {s.home} "
        f"(`stormdrill recover`). Refused: a drill"
    ),
    Place.SPLIT: lambda s: (
        f"{s.away} has been promoted, and {s.home} TAKES WRITES as well. Safe: close {s.home} now "
        f"(`stormdrill recover`), then rebuild it, which lists what it wrote. Refused: a drill"
    ),
    Place.UNKNOWN: lambda s: (
        f"where it stands is not known ({s.why}); {_fence(s)}. Safe: hold, until both sites can be asked"
    ),
}
