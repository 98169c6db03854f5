"""A switch that was cut off: each site follows the other, and whoever has the log to its end leads again."""

from __future__ import annotations

from stormdrill import wait
from stormdrill.direct.side import Side
from stormdrill.errors import ActionError, DeadlineError
from stormdrill.fence.site import Tell

_KNOWN_S = 10.0
"""For two sites to answer how far their logs reach: one that is slow to answer is no reason to hold."""
_WRITES_S = 30.0
_POLL_S = 0.1


def lead_again(home: Side, away: Side, by: str, tell: Tell) -> Side:
    """End a switch that was cut off while each follows the other: whoever has the log to its end leads again.

    The side that leads. ActionError, with nothing changed, when one leads already or their logs cannot be compared.
    """
    for side in (home, away):
        if not side.follows_now():
            raise ActionError(f"{side.region} leads already: there is nothing to give back")
    ends: dict[str, int | None] = {}

    def known() -> bool:
        ends.update((side.region, _end(side)) for side in (home, away))
        return None not in ends.values()

    try:
        wait.until(known, deadline_s=_KNOWN_S, what="the ends of both logs", poll_s=_POLL_S)
    except DeadlineError:
        unknown = [region for region, end in ends.items() if end is None]
        raise ActionError(f"how far the log of {' and '.join(unknown)} reaches is not known: hold") from None
    # On equal terms the one that led last: what it has not sent, nobody misses.
    leading = home if (ends[home.region] or 0) > (ends[away.region] or 0) else away
    give_back(leading, away if leading is home else home, by, tell)
    return leading


def _end(side: Side) -> int | None:
    """The end of a standby leader's log in bytes."""
    members = side.director.cluster().members
    return next((one.lsn for one in members if one.role == "standby_leader" and one.reachable), None)


def give_back(leading: Side, to: Side, by: str, tell: Tell) -> None:
    """Undo the demotion: nobody has been promoted, so the old leader may lead again."""
    leading.config.patch({"standby_cluster": None})
    proof = leading.writes_within(_WRITES_S)
    tell("switch.undone", by, database=to.cell, region=leading.region, proof=proof.to_json())
