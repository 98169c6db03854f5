"""Working under an epoch: what the database refuses becomes the problem that it stands for."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from stormbank.db.access import Access, T, Work
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.problem import Conflict, Refused, StaleEpoch, Unavailable

_REFUSALS: Final = {
    "BK001": Refused("insufficient_funds"),
    "BK002": Refused("unknown_account"),
    "BK003": Refused("risk"),
    "BK004": Unavailable("risk"),
    "BK409": Conflict("key_reused"),
    "BK410": StaleEpoch(StaleEpoch.REASON),
    "BK411": Unavailable("stale_sender"),
}


async def written(access: Access, work: Work[T], deadline: Deadline) -> T:
    """Run `work` as a write; Refused, Conflict and Unavailable say that nothing was changed."""
    try:
        return await access.write(work, deadline)
    except asyncpg.PostgresError as error:
        refusal = _REFUSALS.get(error.sqlstate)
        if refusal is None:
            raise
        raise type(refusal)(refusal.fields["reason"]) from None


def not_behind(row: Any, epoch: Epoch | None) -> None:
    """Refuse what was read, with the epoch of its database beside it, when the asker knows a newer one: StaleEpoch.

    Whoever asks under none takes what there is.
    """
    if epoch is not None and Epoch(row["promotion"], row["version"]) < epoch:
        raise StaleEpoch(StaleEpoch.REASON)


def numbers(epoch: Epoch | None) -> tuple[int | None, int | None]:
    """Return an epoch as the books take it. None is one too: one that is never theirs."""
    return (None, None) if epoch is None else (epoch.promotion, epoch.version)
