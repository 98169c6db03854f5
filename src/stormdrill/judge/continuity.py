"""Continuity objectives: recovery time by operation, customers hurt, and service settled again."""

from __future__ import annotations

from collections.abc import Iterator

from stormdrill.judge.checking import CLIENT, REQUESTS, Case, check, gravest, percent, seconds
from stormdrill.measure.values import Recovery, Share
from stormdrill.targets import Target
from stormdrill.verdict import Check, Outcome


def continuity(case: Case) -> Iterator[Check]:
    """Checks of what customers felt."""
    for target in case.targets.values():
        if target.recovery_time_s is not None:
            yield from _recoveries(case, target, target.recovery_time_s)
    for letter in case.letters:
        yield from _hurt(case, letter)
        yield from _success(case, letter)
    yield from _settled(case)


def _recoveries(case: Case, target: Target, limit_s: float) -> Iterator[Check]:
    found = [entry for entry in case.measured.recoveries if entry.operation == target.operation]
    cells = sorted({entry.cell for entry in found}) or sorted(case.plan.topology.cells)
    for cell in cells:
        name = f"recovery.{target.operation}" + (f".{cell}" if len(cells) > 1 else "")
        entries = sorted((entry for entry in found if entry.cell == cell), key=_length, reverse=True)
        checks = [
            _recovery(case, name, target, limit_s, entry)
            if entry.requests
            else _unasked(case, name, target, applied=True)
            for entry in entries
        ]
        # Each fault is judged by itself; the gravest is told, and of equals the one that took longest.
        yield gravest(checks) or _unasked(case, name, target, applied=False)


def _length(entry: Recovery) -> tuple[float, bool, float]:
    return entry.lower_bound_s, entry.value_s is None, entry.value_s or 0.0


def _unasked(case: Case, name: str, target: Target, *, applied: bool) -> Check:
    planned = target.operation in case.plan.profile.operations or case.plan.profile.arrivals_per_s is not None
    if not applied:
        outcome, why = Outcome.NOT_EXERCISED, "no fault was applied"
    elif planned:
        outcome, why = Outcome.INCONCLUSIVE, f"nobody asked for {target.operation} after the fault"
    else:
        outcome, why = Outcome.NOT_EXERCISED, f"the load holds no {target.operation}"
    limit = f"<= {target.recovery_time_s:g} s"
    return check(name, "recovery_time", outcome, why, unit="s", limit=limit, evidence=REQUESTS)


def _recovery(case: Case, name: str, target: Target, limit_s: float, entry: Recovery) -> Check:
    outcome, why = _judged(case, limit_s, entry)
    ceiling_s = target.ceiling_recovery_time_s
    if outcome is Outcome.FAIL and ceiling_s is not None and entry.lower_bound_s > ceiling_s:
        why += f"; it breaks the regulatory ceiling of {seconds(ceiling_s)} too"
    return check(
        name,
        "recovery_time",
        outcome,
        why,
        value=entry.value_s if entry.value_s is not None else f"> {entry.lower_bound_s:g}",
        unit="s",
        error=entry.resolution_s,
        limit=f"<= {limit_s:g} s",
        window=f"t0 to the end of the run, H = {case.plan.experiment.times.window_s:g} s",
        evidence=REQUESTS,
        depends_on=CLIENT,
        details={
            "operation": entry.operation,
            "tier": entry.tier,
            "cell": entry.cell,
            "fault": entry.fault,
            "source": entry.source,
            "lower_bound_s": entry.lower_bound_s,
            "first_hurt_s": entry.first_hurt_s,
            "lost_demand_s": entry.lost_demand_s,
            "basis": target.basis.get("recovery_time", ""),
            "ceiling_s": ceiling_s,
        },
    )


def _judged(case: Case, limit_s: float, entry: Recovery) -> tuple[Outcome, str]:
    """Fail only on proof (hurt seen after the limit), pass only on evidence (good bins by the limit)."""
    who = entry.operation
    if harm := _harm(limit_s, entry):
        return Outcome.FAIL, f"{who} {harm}"
    if doubt := _doubt(case.plan.experiment.times.window_s, limit_s, entry):
        return Outcome.INCONCLUSIVE, f"{who} {doubt}"
    again = _again(case, entry)
    again += f"; {entry.blocked} requests were blocked by an earlier step" if entry.blocked else ""
    if entry.value_s == 0:
        few = f" ({entry.hurt} requests were, too few to make a bin bad)" if entry.hurt else ""
        few = " at first" if entry.relapses else few  # which of the hurt were early, no count says
        return Outcome.PASS, f"{who} was not hurt{few}{again}"
    parts = " + ".join(f"{part.name} {seconds(part.end_s - part.start_s)}" for part in entry.parts)
    return Outcome.PASS, f"{who} recovered {seconds(entry.value_s or 0.0)} after t0 ({parts}){again}"


def _harm(limit_s: float, entry: Recovery) -> str:
    """What was seen to be hurt beyond the limit; empty when nothing was."""
    limit = seconds(limit_s)
    if entry.lower_bound_s > limit_s:
        end = "never recovered" if entry.value_s is None else f"recovered at {entry.value_s:.1f} s"
        return f"was still hurt {seconds(entry.lower_bound_s)} after t0 ({end}); allowed are {limit}"
    if _relapse_s(entry) > limit_s:
        first = entry.relapses[0]
        length = seconds(_relapse_s(entry))
        return f"recovered, and was hurt again {seconds(first.start_s)} after t0 for {length}"
    return ""


def _doubt(window_s: float, limit_s: float, entry: Recovery) -> str:
    """Why the records do not show that the limit was kept; empty when they do."""
    limit = seconds(limit_s)
    if entry.value_s is None and entry.clean_s >= window_s:
        return f"was last hurt {seconds(entry.lower_bound_s)} after t0, and nobody asked for it afterwards"
    if entry.value_s is None:
        hurt = f"was last hurt {seconds(entry.lower_bound_s)} after t0" if entry.hurt else "was not hurt"
        return f"{hurt}, but only {seconds(entry.clean_s)} of the clean window of {window_s:g} s were watched"
    if entry.value_s > limit_s:
        span = f"{entry.lower_bound_s:.2f} s and {entry.value_s:.2f} s"
        return f"recovered between {span}: the limit of {limit} lies within"
    if not entry.well_at_end:
        return f"was hurt again {seconds(entry.relapses[-1].start_s)} after t0, and still was at the end"
    if entry.largest_gap_s > limit_s:
        gap = seconds(entry.largest_gap_s)
        return f"was not asked for {gap}: an outage longer than {limit} could hide there"
    return ""


def _again(case: Case, entry: Recovery) -> str:
    """What was hurt once more, later; the way back is no relapse of what was recovered from."""
    span_s = case.phase_s("return")
    back = [one for one in entry.relapses if span_s and span_s[0] <= one.start_s < span_s[1]]
    others = [one for one in entry.relapses if one not in back]
    said = ""
    for found, what in ((others, "short relapse(s)"), (back, "time(s) hurt once more in the return")):
        if found:
            longest_s = max(one.end_s - one.start_s for one in found)
            said += f"; {len(found)} {what}, the longest {seconds(longest_s)}"
    return said


def _relapse_s(entry: Recovery) -> float:
    return max((relapse.end_s - relapse.start_s for relapse in entry.relapses), default=0.0)


def _judged_share(case: Case, letter: str) -> Share | None:
    """A tier's requests after the fault, or in the method where the load is the test."""
    return case.share(f"tier {letter}", "inject" if case.load_is_the_test else None)


def _window(case: Case) -> str:
    return "the method" if case.load_is_the_test else "t0 to the end of settle"


def _hurt(case: Case, letter: str) -> Iterator[Check]:
    limit = case.tier_limit(letter, "hurt")
    if limit is None:
        return
    share = _judged_share(case, letter)
    name, text = f"hurt.{letter}", f"<= {percent(limit[0])}"
    if share is None:
        yield check(name, "hurt", Outcome.NOT_EXERCISED, "no fault was applied", unit="ratio", limit=text)
        return
    hurt = share.requests - share.good
    ratio = hurt / share.requests if share.requests else None
    said = f"{hurt} of {share.requests} requests of tier {letter} were hurt: {percent(ratio or 0.0)}"
    if ratio is None:
        outcome, why = Outcome.INCONCLUSIVE, f"nobody asked for anything of tier {letter} in this time"
    elif ratio > limit[0]:
        outcome, why = Outcome.FAIL, said
    elif share.requests * limit[0] < 1:
        outcome = Outcome.INCONCLUSIVE
        why = f"only {share.requests} requests of tier {letter}: too few to show {percent(limit[0])}"
    else:
        outcome, why = Outcome.PASS, said
    yield check(
        name, "hurt", outcome, why, value=None if ratio is None else round(ratio, 9), unit="ratio",
        limit=text, window=_window(case), evidence=REQUESTS, depends_on=CLIENT,
        details={"hurt": hurt, "requests": share.requests, "basis": limit[1]},
    )  # fmt: skip


def _success(case: Case, letter: str) -> Iterator[Check]:
    limit = case.tier_limit(letter, "success", largest=True)
    share = _judged_share(case, letter)
    if limit is None:
        return
    ratio = share.ratio if share else None
    if share is None or ratio is None:
        due = bool(case.measured.faults) or share is not None
        outcome = Outcome.INCONCLUSIVE if due else Outcome.NOT_EXERCISED
        when = "in the method" if case.load_is_the_test else "after a fault"
        why = f"no request of tier {letter} {when}"
    else:
        outcome = Outcome.PASS if ratio >= limit[0] else Outcome.FAIL
        why = f"{share.good} of {share.requests} requests of tier {letter} were good: {percent(ratio)}"
    yield check(
        f"success.{letter}", "success", outcome, why, value=None if ratio is None else round(ratio, 9),
        unit="ratio", limit=f">= {percent(limit[0])}", window=_window(case), evidence=REQUESTS,
        depends_on=CLIENT, details={"basis": limit[1]},
    )  # fmt: skip


def _settled(case: Case) -> Iterator[Check]:
    """The most important tier, unaided under the same load after everything: is it well again.

    Sessions that ended in the outage leave blocked steps behind for as long as they would have lasted. Those
    count as hurt; they do not say that the service is unwell now.
    """
    letter = case.letters[0] if case.letters else ""
    need = case.plan.experiment.health.goodput
    share = case.share(f"tier {letter}", "settle")
    ratio = share.reached_ratio if share else None
    if share is None or ratio is None:
        outcome, why = Outcome.NOT_EXERCISED, "the run had no settle phase under load"
    else:
        outcome = Outcome.PASS if ratio >= need else Outcome.FAIL
        why = f"{percent(ratio)} of what tier {letter} asked for in settle was good"
        if share.blocked:
            why += f", besides {share.blocked} steps of sessions that had ended before"
    yield check(
        f"settled.{letter}", "goodput", outcome, why, value=None if ratio is None else round(ratio, 9),
        unit="ratio", limit=f">= {percent(need)}", window="settle", evidence=REQUESTS, depends_on=CLIENT,
    )  # fmt: skip
