"""The steady-state hypothesis after the fault: held, did not hold, or nobody could tell.

That a probe said no is harm only if it could see: one that raised, or that looked through a generator or a
Prometheus which the rules call broken, proves nothing. Customers' harm is proven by their own records instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stormdrill.judge.checking import Case, check
from stormdrill.measure.values import Ended
from stormdrill.verdict import Check, Outcome

# The rule without which a probe's answer is no evidence.
_SEES_BY: Mapping[str, str] = {
    "load_healthy": "generator_on_time",
    "prometheus_fresh": "prometheus_fresh",
}


def hypothesis(case: Case, last: Ended, broken: Collection[str]) -> Check:
    """The last answer after the fault as a check; `broken` are the ids of the rules that do not hold."""
    outcome, why = _judged(case, last, broken)
    probes = [activity.function for activity in case.plan.experiment.hypothesis]
    rules = dict.fromkeys(_SEES_BY[name] for name in probes if name in _SEES_BY)
    return check(
        "hypothesis", "hypothesis", outcome, why, value=last.ok, limit="holds",
        window="after recovery", evidence=("history.jsonl", "journal.json"),
        depends_on=("fault_proven", *rules), details={"probe": last.probe},
    )  # fmt: skip


def _judged(case: Case, last: Ended, broken: Collection[str]) -> tuple[Outcome, str]:
    if last.ok:
        return Outcome.PASS, f"the steady-state hypothesis held again after the fault: {last.why}"
    if last.unseen:
        who = f"{last.probe} gave no answer" if last.probe else "no probe answered"
        return Outcome.INCONCLUSIVE, f"whether the steady-state hypothesis held again is not known: {who}"
    said = f"the steady-state hypothesis did not hold after the fault: {last.probe} was not so ({last.why})"
    functions = {a.function for a in case.plan.experiment.hypothesis if a.name == last.probe}
    blind = sorted({_SEES_BY[name] for name in functions if name in _SEES_BY} & set(broken))
    if blind:
        return Outcome.INCONCLUSIVE, f"{said}; not trusted: {', '.join(blind)}"
    return Outcome.FAIL, said
