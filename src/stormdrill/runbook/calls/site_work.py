"""What `site:` does and asks, with the directors that drills use. Each act looks first at what is done already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stormdrill.direct.comeback import Journey, come_back, follows, rebuilt
from stormdrill.direct.failover import close
from stormdrill.direct.following import behind, followed_within
from stormdrill.direct.promotion import Decision, promote
from stormdrill.direct.rebuild import FOLLOWS_WITHIN_S, Wanted, export_fork
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Side, pair_of
from stormdrill.direct.write_proof import WriteProof
from stormdrill.errors import ActionError, TargetError
from stormdrill.estate_books import SqlAudit
from stormdrill.fence import How, State, obtained
from stormdrill.runbook.calls import Finding
from stormdrill.runbook.calls.site import Site
from stormdrill.runbook.surroundings import Surroundings

CLOSED_WITHIN_S = 30.0
_SHOWN = 10


@dataclass(frozen=True)
class _Case:
    """One cell's: `old` is the site that was lost, `new` the other."""

    call: Site
    around: Surroundings
    old: Side
    new: Side
    routes: Routes

    @property
    def wanted(self) -> Wanted:
        audit, kept = self.around.estate("site").audit, self.around.kept or Path()
        books = audit if isinstance(audit, SqlAudit) else None
        return Wanted(self.around.actor, kept / f"fork-{self.old.cell}.json", books, unread=self.call.unread)

    @property
    def journey(self) -> Journey:
        return Journey(self.old, self.new, self.routes, self.wanted, self.around.check)


def run(call: Site, around: Surroundings) -> Finding:
    """One act or one look, at one cell or at all. What is refused, and what does not answer, does not hold."""
    estate = around.estate("site")
    try:
        clusters = {name: around.cluster(name) for name in estate.regions}
        routes = Routes.of(estate)
        cases = [
            _Case(call, around, *pair_of(estate, cell, clusters, around.tell).in_region(call.lost), routes)
            for cell in call.cells(estate)
        ]
        if call.changes and call.what == "switch_back":
            return _switch_back(cases)
        return _each((_ACTS if call.changes else _LOOKS)[call.what], cases)
    except (ActionError, TargetError) as error:
        return Finding(False, str(error))


def _each(work: Callable[[_Case], Finding], cases: Sequence[_Case]) -> Finding:
    """Of several cells one after the other, all of them whatever becomes of one; it holds when each does."""
    if len(cases) == 1:
        return work(cases[0])
    if work in (_lead, _is_led):  # phones are led for all at once
        return work(cases[0])
    found = {}
    for case in cases:
        try:
            found[case.old.cell] = work(case)
        except (ActionError, TargetError) as error:
            found[case.old.cell] = Finding(False, str(error))
    said = "; ".join(f"{cell}: {one.saw}" for cell, one in found.items())
    return Finding(
        all(one.holds for one in found.values()), said, {cell: one.evidence for cell, one in found.items()}
    )


def _close(case: _Case) -> Finding:
    record = close(case.old, case.around.actor, case.around.check, CLOSED_WITHIN_S)
    return Finding(True, f"{record.how}: {record.why}", {"how": str(record.how), "why": record.why})


def _promote(case: _Case) -> Finding:
    if not case.call.cell and not case.new.follows_now():  # of several, an earlier attempt came so far
        return _is_promoted(case)
    decision = Decision(case.around.actor, case.call.why, case.call.declared)
    done = promote(case.new, case.old, decision, case.around.tell, check=case.around.check)
    return _written(done.proof, f"{done.region} takes writes behind a fence that is {done.fence.how}")


def _lead(case: _Case) -> Finding:
    case.routes.turn_to(case.new.region, case.around.actor, case.around.tell)
    answer = case.routes.serving(case.new.region)
    return Finding(True, f"the name leads to {', '.join(answer.edges)}")


def _export(case: _Case) -> Finding:
    fork = export_fork(case.old, case.new, case.wanted, case.around.tell)
    rows = [f"{row['key']} {row['amount']}" for row in fork.lost[:_SHOWN]]
    more = f" and {len(fork.lost) - _SHOWN} more" if len(fork.lost) > _SHOWN else ""
    said = f"{fork.commits} commits, {len(fork.lost)} movements that {case.new.region} does not have"
    listed = f" ({'; '.join(rows)}{more})" if rows else ""
    unread = f"; NOT READ: {', '.join(fork.unread)}" if fork.unread else ""
    return Finding(not fork.unread, f"{said}{listed}{unread}; kept in {fork.path}", {"file": str(fork.path)})


def _rebuild(case: _Case) -> Finding:
    if follows(case.old):  # an earlier attempt came so far
        followed_within(case.old, case.new, FOLLOWS_WITHIN_S)
    else:
        case.old.fencing.need_closed()
        rebuilt(case.journey, case.around.tell)
    return Finding(True, f"{case.old.region} follows {case.new.region}")


def _switch_back(cases: Sequence[_Case]) -> Finding:
    """All at once, but for those that an earlier attempt brought home."""
    away = [case for case in cases if len(cases) == 1 or case.new.takes_writes() is not None]
    if not away:
        return _each(_is_home, cases)
    for case in away:
        if not follows(case.old):
            raise ActionError(f"{case.old.text} does not follow {case.new.region}: rebuild it first")
    around, why = away[0].around, away[0].call.why
    switched = come_back([case.journey for case in away], why, around.tell)
    last = max(switched, key=lambda one: one.pause_s)
    return _written(last.proof, f"{last.region} leads; nobody could write for {last.pause_s:.1f} s")


def _is_closed(case: _Case) -> Finding:
    record = case.old.fencing.record()
    if record is None or record.state is not State.CLOSED:
        return Finding(False, f"{case.old.region} is not fenced ({record.state if record else 'never was'})")
    how, why = obtained(case.old.fencing.observe())
    if how is None and record.how is How.DECLARED:
        how, why = record.how, record.why
    return Finding(how is not None, f"{how or 'not proven'}: {why}", {"how": str(how), "by": record.by})


def _is_promoted(case: _Case) -> Finding:
    if case.new.follows_now():
        return Finding(False, f"{case.new.region} is a standby")
    proof = case.new.takes_writes()
    if proof is None:
        return Finding(False, f"{case.new.region} is no standby any more, and takes no writes yet")
    return _written(proof, f"{case.new.region} takes writes")


def _is_led(case: _Case) -> Finding:
    answer = case.routes.serving(case.new.region, deadline_s=0.0)
    return Finding(True, f"the name leads to {', '.join(answer.edges)}")


def _is_rebuilt(case: _Case) -> Finding:
    mark = case.new.write()
    lacks = behind(case.old, mark.timeline, 0, mark.lsn)
    return Finding(not lacks, lacks or f"{case.old.region} has all that {case.new.region} has")


def _is_home(case: _Case) -> Finding:
    mark = case.old.write()
    standbys = case.old.director.cluster().sync_standbys
    if len(case.old.site.members) > 1 and not standbys:
        return Finding(False, f"{case.old.region} has no synchronous standby")
    if lacks := behind(case.new, mark.timeline, 16 << 20, mark.lsn):
        return Finding(False, f"{case.new.region} does not follow: {lacks}")
    answer = case.routes.serving(case.old.region, deadline_s=0.0)
    where = f"the name leads to {', '.join(answer.edges)}"
    return Finding(True, f"{case.old.region} leads with {', '.join(standbys) or 'no mate'}; {where}")


def _written(proof: WriteProof, said: str) -> Finding:
    return Finding(
        True, f"{said} (timeline {proof.timeline})", {"write_ns": proof.mono_ns, "proof": proof.to_json()}
    )


_ACTS: Mapping[str, Callable[[_Case], Finding]] = {
    "close": _close, "promote": _promote, "lead": _lead, "export": _export, "rebuild": _rebuild,
}  # fmt: skip
_LOOKS: Mapping[str, Callable[[_Case], Finding]] = {
    "closed": _is_closed, "promoted": _is_promoted, "led": _is_led, "rebuilt": _is_rebuilt, "home": _is_home,
}  # fmt: skip
