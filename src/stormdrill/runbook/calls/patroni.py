"""`patroni: {...}`: the state of one database cluster, by its members' own word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stormdrill.content import Node
from stormdrill.direct.patroni import ClusterState, PatroniDirector
from stormdrill.errors import InputError, TargetError
from stormdrill.limit import Limit
from stormdrill.runbook.calls import Finding
from stormdrill.runbook.calls.promql import url
from stormdrill.runbook.surroundings import Surroundings

ANY, NONE = "any", "none"


@dataclass(frozen=True)
class Patroni:
    """Members of the topology's `cell`, or stated ones. What is not asked for is None or empty.

    `answers` is how many members speak for themselves, `leader` who takes writes by its own word (a name, any or
    none), `roles` each member's role, `sync_standbys` how many acknowledge commits.
    """

    cell: str | None
    members: Mapping[str, str]
    answers: Limit | None
    leader: str | None
    roles: Mapping[str, str]
    sync_standbys: Limit | None
    lag_bytes: Limit | None
    changes: bool = False

    @property
    def text(self) -> str:
        """What is wanted."""
        wanted = [
            f"{name} {value}"
            for name, value in (
                ("leader", self.leader),
                ("answers", self.answers),
                ("sync standbys", self.sync_standbys),
                ("lag in bytes", self.lag_bytes),
                *self.roles.items(),
            )
            if value is not None
        ]
        return f"Patroni of {self.cell or ', '.join(self.members)}: {', '.join(wanted)}"

    def run(self, around: Surroundings) -> Finding:
        """Ask every member once."""
        members = self._members(around)
        try:
            state = PatroniDirector(members).cluster()
        except TargetError:
            return Finding(self._nobody_is_right(), f"none of {', '.join(members)} answers")
        return Finding(self._holds(state), _seen(state), state.to_json())

    def _members(self, around: Surroundings) -> Mapping[str, str]:
        if self.cell is None:
            return self.members
        databases = around.estate("patroni with a cell").databases
        if self.cell not in databases:
            raise InputError(f"the topology has no database for cell {self.cell}")
        return databases[self.cell].members

    def _nobody_is_right(self) -> bool:
        """Silence proves only silence: that nobody leads is not known from it."""
        only_answers = (
            self.leader is None and not self.roles and not self.sync_standbys and not self.lag_bytes
        )
        return only_answers and self.answers is not None and self.answers.holds(0)

    def _holds(self, state: ClusterState) -> bool:
        own = [member for member in state.members if member.reachable]
        roles = {member.name: member.role for member in own}
        lags = [member.lag_bytes for member in own if member.name != state.leader]
        known = [lag for lag in lags if lag is not None]
        return all(
            (
                self.leader in (None, state.leader or NONE) or (self.leader == ANY and bool(state.leader)),
                self.answers is None or self.answers.holds(len(own)),
                all(roles.get(name) == role for name, role in self.roles.items()),
                self.sync_standbys is None or self.sync_standbys.holds(len(state.sync_standbys)),
                self.lag_bytes is None
                or (bool(known) and len(known) == len(lags) and all(map(self.lag_bytes.holds, known))),
            )
        )


def _seen(state: ClusterState) -> str:
    words = [
        f"{member.name} {member.role or '?'}" if member.reachable else f"{member.name} silent"
        for member in state.members
    ]
    return f"leader {state.leader or NONE}; {', '.join(words)}"


def decode(node: Node) -> Patroni:
    """From a step's block."""
    with node.fields() as fields:
        members = {name: url(child) for name, child in fields.get("members").items()}
        call = Patroni(
            fields.get("cell").maybe(Node.text),
            members,
            fields.get("answers").maybe(_limit),
            fields.get("leader").maybe(Node.text),
            {name: child.text() for name, child in fields.get("roles").items()},
            fields.get("sync_standbys").maybe(_limit),
            fields.get("lag_bytes").maybe(_limit),
        )
    if (call.cell is None) == (not call.members):
        node.problem("give exactly one of 'cell' and 'members'")
    for name in [*call.roles, *([call.leader] if call.leader not in (None, ANY, NONE) else [])]:
        if members and name not in members:
            node.problem(f"'{name}' is not one of its members")
    if not (call.answers or call.leader or call.roles or call.sync_standbys or call.lag_bytes):
        node.problem("asks for nothing: give leader, answers, roles, sync_standbys or lag_bytes")
    return call


def _limit(node: Node) -> Limit:
    return node.parsed(Limit.parse, Limit("==", 0))
