"""What "nothing lost" is worth: on an asynchronous path, only as much as what could have been lost there.

Two claims are told apart. "Nothing may be lost" rests on the writes that were at risk: those inside the lag. "At most
L seconds may be lost" is a bound, and rests on the writes acknowledged in the last L seconds: a standby that was
further behind than L would be without every one of them.
"""

from __future__ import annotations

from stormdrill.judge.checking import percent
from stormdrill.judge.loss_limit import LossLimit
from stormdrill.measure.money_values import Loss, Risk
from stormdrill.verdict import Outcome

AT_RISK_MIN = 30  # fewer writes than that: losing none of them says nothing
Why = tuple[Outcome, str]


def none_lost(loss: Loss, acknowledged: int, limit: LossLimit) -> Why:
    """The outcome when none of `acknowledged` movements is missing, with its sentence."""
    risk = loss.risk
    if not acknowledged:
        return Outcome.INCONCLUSIVE, "no movement was acknowledged: there was nothing that could be lost"
    said = f"none of {acknowledged} acknowledged movements is missing"
    if risk.path == "asynchronous":
        outcome, why = _bounded(risk, limit) if limit.seconds and limit.movements != 0 else _nothing(risk)
        return outcome, f"{said}{why}" if outcome is Outcome.PASS else f"nothing was lost, but {why}"
    ratio = loss.upper_bound_ratio
    bound = f"; at most {percent(ratio)} by the rule of three" if ratio else ""
    return Outcome.PASS, f"{said}{bound}; {risk.why}"


def _nothing(risk: Risk) -> Why:
    if risk.at_risk is None or risk.at_risk < AT_RISK_MIN:
        known = "an unknown number of" if risk.at_risk is None else f"only {risk.at_risk}"
        return Outcome.INCONCLUSIVE, f"{known} writes were at risk at t0 ({risk.why})"
    return Outcome.PASS, f"; at most {percent(3 / risk.at_risk)} by the rule of three; {risk.why}"


def _bounded(risk: Risk, limit: LossLimit) -> Why:
    count, span = risk.within_allowed or 0, f"{limit.seconds:g} s"
    if risk.at_risk is None:
        return Outcome.INCONCLUSIVE, f"an unknown number of writes were at risk at t0 ({risk.why})"
    if max(count, risk.at_risk) < AT_RISK_MIN:
        few = f"only {count} writes were acknowledged in the {span} before the fault was in place"
        return Outcome.INCONCLUSIVE, f"{few}: too few to show that no more than that can be lost ({risk.why})"
    worth = f": 0 s of the {span} allowed, shown by {count} writes acknowledged in those {span}; {risk.why}"
    if risk.at_risk < AT_RISK_MIN:
        worth += ", too few to say that this path loses nothing"
    return Outcome.PASS, worth
