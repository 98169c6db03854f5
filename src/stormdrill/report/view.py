"""What a report shows, gathered from plan, measurements and verdict; renderers only lay it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stormdrill.measure.money_values import HARMS, Loss, Movement, Tally
from stormdrill.measure.values import Measurements, Recovery, Share
from stormdrill.plan import Plan
from stormdrill.report.story import Story, story
from stormdrill.report.words import NOTHING, money, percent, seconds
from stormdrill.verdict import Check, Outcome, Verdict

SHOWN = 50  # movements of a class that a page lists; all of them are in measurements.json
GROUPS = (
    ("What customers felt", ("recovery_time", "hurt", "success", "goodput", "guard", "hypothesis")),
    ("Money", ("data_loss", "dual_writes", "books", "invariant")),
    ("Detection, failover and return", ("detection", "failover", "return")),
    ("Assertions on metrics", ("assertion",)),
    ("Flow control", ("flow_control",)),
)
MONEY = GROUPS[1][1]
MOVEMENTS = {
    "lost": "acknowledged, and not in the books",
    "duplicated": "in the books more than once",
    "altered": "in the books with another amount or account",
    "ghost": "in the books, and nobody meant it",
    "refused_booked": "refused to the customer, and in the books",
    "unknown_booked": "no answer, and in the books",
    "unknown_absent": "no answer, and not in the books",
}

ENDS = (
    "durable", "lost", "duplicated", "altered", "refused", "refused_booked", "unknown_booked",
    "unknown_absent", "unread", "ghost",
)  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """One figure of the first screen."""

    name: str
    value: str
    note: str
    outcome: Outcome


@dataclass(frozen=True)
class Group:
    """Checks under one heading."""

    name: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class MovementList:
    """A class of movements: its meaning, count, money, and the first of them."""

    name: str
    meaning: str
    tally: Tally
    shown: tuple[Movement, ...]


@dataclass(frozen=True)
class View:
    """Everything a renderer needs, in the order of the page."""

    plan: Plan
    measured: Measurements
    verdict: Verdict
    sentence: str
    tiles: tuple[Tile, ...]
    groups: tuple[Group, ...]
    recoveries: tuple[Recovery, ...]
    ends: tuple[tuple[str, Tally], ...]
    movements: tuple[MovementList, ...]
    settings: tuple[tuple[str, str], ...]
    hurt_until_s: float | None
    deadline_ms: float | None
    story: Story | None


def view(plan: Plan, measured: Measurements, verdict: Verdict) -> View:
    """Gather a view. Pure: the same inputs give the same view."""
    first = measured.faults[0].name if measured.faults else ""
    recoveries = tuple(entry for entry in measured.recoveries if entry.fault == first)
    return View(
        plan=plan,
        measured=measured,
        verdict=verdict,
        sentence=_sentence(verdict),
        tiles=_tiles(measured, verdict, recoveries),
        groups=_groups(verdict),
        recoveries=recoveries,
        ends=_ends(measured.loss),
        movements=_movements(measured),
        settings=_settings(plan),
        hurt_until_s=_hurt_until_s(recoveries),
        deadline_ms=_deadline_ms(plan),
        story=story(measured, verdict, recoveries),
    )


def _sentence(verdict: Verdict) -> str:
    """The verdict as one sentence, with the first reason that decided it."""
    if verdict.not_reverted:
        return f"A fault could not be reverted: {verdict.not_reverted[0]}."
    worst = [check for check in verdict.checks if check.verdict is verdict.verdict]
    worst.sort(key=lambda check: check.kind not in MONEY)  # lost money is said before lost time
    more = f" (and {len(worst) - 1} more)" if len(worst) > 1 else ""
    ended = f"The run was ended early ({verdict.aborted_why}). " if verdict.aborted else ""
    if verdict.verdict is Outcome.FAIL:
        return f"{ended}Failed: {worst[0].why}{more}."
    if verdict.verdict is Outcome.INCONCLUSIVE:
        broken = [rule.why for rule in verdict.validity if rule.verdict is Outcome.INCONCLUSIVE]
        reason = broken[0] if broken else worst[0].why if worst else "nothing was exercised"
        return f"{ended}Nothing can be concluded: {reason}."
    count = sum(check.verdict is Outcome.PASS for check in verdict.checks)
    return f"{ended}Passed: all {count} objectives that this drill exercises were kept."


def worst_of(recoveries: Sequence[Recovery]) -> Recovery | None:
    """The operation that took longest; one that never recovered before all others. None when nobody asked."""
    asked = [entry for entry in recoveries if entry.requests]
    return max(asked, key=lambda r: (r.value_s is None, r.value_s or r.lower_bound_s), default=None)


def _tiles(measured: Measurements, verdict: Verdict, recoveries: Sequence[Recovery]) -> tuple[Tile, ...]:
    tiles = []
    most = min((entry.tier[:1] for entry in recoveries), default="")
    tier = [entry for entry in recoveries if entry.tier[:1] == most and entry.cell != "all"]
    if worst := worst_of(tier):
        graded = [
            c for c in verdict.checks if c.kind == "recovery_time" and c.details.get("tier", "")[:1] == most
        ]
        value = seconds(worst.value_s) if worst.value_s is not None else f"> {seconds(worst.lower_bound_s)}"
        exact = "not recovered" if worst.value_s is None else f"± {seconds(worst.resolution_s)}"
        whose = f" of {worst.cell}" if len({entry.cell for entry in tier}) > 1 else ""
        note = f"{worst.operation}{whose}, {exact}"
        tiles.append(Tile(f"recovery of tier {most}", value, note, _worst(graded)))
    loss = measured.loss
    if loss.audited:
        lost, twice = loss.tallies["lost"], loss.tallies["duplicated"]
        note = f"worth {money(lost.amount)}" if lost.count else f"of {loss.acknowledged:,} acknowledged"
        tiles.append(_counted("movements lost", lost, note, _of(verdict, "lost")))
        note = f"of {loss.intents:,} meant"
        tiles.append(_counted("booked twice", twice, note, _of(verdict, "duplicated")))
    tiles += _dual_tile(measured, verdict)
    share = next((share for share in measured.hurt if share.subject == f"tier {most}"), None)
    if share is not None:
        tiles.append(_availability(most, share, verdict))
    return tuple(tiles)


def _dual_tile(measured: Measurements, verdict: Verdict) -> list[Tile]:
    """Writes of two sites at once, where a site changed hands."""
    duals = measured.failover.duals
    graded = [check for check in verdict.checks if check.kind == "dual_writes"]
    if not duals:
        return []
    note = (
        "old timeline read" if all(dual.fork == "read" for dual in duals) else "old timeline not read in full"
    )
    return [Tile("dual writes", f"{sum(dual.count for dual in duals):,}", note, _worst(graded))]


def _counted(name: str, tally: Tally, note: str, outcome: Outcome) -> Tile:
    """A count of movements; where none could have been seen, no count."""
    if outcome is Outcome.NOT_EXERCISED:
        return Tile(name, NOTHING, "not exercised", outcome)
    return Tile(name, f"{tally.count:,}", note, outcome)


def _ends(loss: Loss) -> tuple[tuple[str, Tally], ...]:
    """How many movements came to each end; a harm that the books cannot show is left out unless it was seen."""
    hidden = set(HARMS) - set(loss.shows)
    found = ((name, loss.tallies[name]) for name in ENDS if name in loss.tallies)
    return tuple((name, tally) for name, tally in found if tally.count or name not in hidden)


def _availability(tier: str, share: Share, verdict: Verdict) -> Tile:
    note = f"{share.requests - share.good:,} of {share.requests:,} requests hurt"
    return Tile(f"tier {tier} served after t0", percent(share.ratio), note, _of(verdict, f"hurt.{tier}"))


def _worst(checks: list[Check]) -> Outcome:
    order = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.NOT_EXERCISED)
    return min((check.verdict for check in checks), key=order.index, default=Outcome.NOT_EXERCISED)


def _of(verdict: Verdict, name: str) -> Outcome:
    return next((check.verdict for check in verdict.checks if check.id == name), Outcome.NOT_EXERCISED)


def _groups(verdict: Verdict) -> tuple[Group, ...]:
    known = {kind for _, kinds in GROUPS for kind in kinds}
    groups = [
        Group(name, tuple(check for check in verdict.checks if check.kind in kinds)) for name, kinds in GROUPS
    ]
    groups.append(Group("Other", tuple(check for check in verdict.checks if check.kind not in known)))
    return tuple(group for group in groups if group.checks)


def _movements(measured: Measurements) -> tuple[MovementList, ...]:
    found: Mapping[str, tuple[Movement, ...]] = measured.loss.movements
    return tuple(
        MovementList(name, meaning, measured.loss.tallies[name], found[name][:SHOWN])
        for name, meaning in MOVEMENTS.items()
        if found.get(name)
    )


def _settings(plan: Plan) -> tuple[tuple[str, str], ...]:
    """What a reader needs to compare this run with another."""
    times, load = plan.experiment.times, plan.experiment.load
    return (
        ("experiment", f"{plan.experiment.name} ({plan.experiment.title})"),
        ("fault class", plan.experiment.fault_class),
        ("estate", f"{plan.topology.name}, environment {plan.topology.environment}"),
        ("load", f"profile {plan.profile.name}, scale {_scale(plan):g}, seed {load.seed}"),
        (
            "times",
            f"warm-up {times.warmup_s:g} s, steady {times.steady_s:g} s, window H {times.window_s:g} s",
        ),
        ("recovery limit of the run", f"{times.recover_limit_s:g} s"),
        ("a bin is bad below", percent(plan.experiment.health.success)),
        ("plan", f"sha256 {plan.digest}"),
    )


def _scale(plan: Plan) -> float:
    own = plan.experiment.load.scale
    return plan.profile.scale if own is None else own


def _hurt_until_s(recoveries: tuple[Recovery, ...]) -> float | None:
    ends = [r.value_s if r.value_s is not None else r.lower_bound_s for r in recoveries if r.hurt]
    return max(ends, default=None)


def _deadline_ms(plan: Plan) -> float | None:
    deadlines = [operation.deadline_s for operation in plan.topology.operations.values()]
    return min(deadlines) * 1000 if deadlines else None
