"""How far the remote site is behind: what a promotion would lose, once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stormdrill.direct.patroni import Member, PatroniDirector
from stormdrill.errors import TargetError
from stormdrill.estate_sites import DatabaseSite


class StandbySampler:
    """`db.standby` for each member of a standby cluster: state, log position, bytes behind the leading site.

    `lag_bytes` is None while the leading site does not answer. The standby is asked first, so that the lag is not
    told too small. A site that has been promoted is no standby: nothing is recorded of it.
    """

    def __init__(
        self, cell: str, leading: PatroniDirector, site: DatabaseSite, record: Callable[..., Any]
    ) -> None:
        self._cell = cell
        self._leading = leading
        self._region = site.region
        self._standby = PatroniDirector(site.members)
        self._record = record

    def sample(self) -> None:
        """Look once. TargetError when no member of the standby answers."""
        at_ns = time.monotonic_ns()
        state = self._standby.cluster()
        if state.primaries:
            return
        end = self._end()
        if end is None:  # it fell silent meanwhile: this is news of now, not of before
            at_ns = time.monotonic_ns()
        for member in state.members:
            self._record(
                "db.standby",
                "patroni",
                mono_ns=at_ns,
                database=self._cell,
                site=self._region,
                member=member.name,
                state=member.state,
                lsn=member.lsn,
                lag_bytes=_behind(member, end),
            )

    def _end(self) -> int | None:
        """The end of the leading site's log (bytes)."""
        try:
            state = self._leading.cluster()
        except TargetError:
            return None
        return next((one.lsn for one in state.members if one.name == state.leader), None)


def _behind(member: Member, end: int | None) -> int | None:
    return None if member.lsn is None or end is None else max(0, end - member.lsn)
