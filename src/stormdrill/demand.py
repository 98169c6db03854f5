"""From business numbers to requests a second: the arithmetic behind a profile, pure so it can be printed.

sessions/s = monthly active x daily share x uses a day x peak factor / 86,400, then x scale;
requests/s = sessions/s x calls a use; sessions at once = sessions/s x session length (Little).
A plain locustfile's arrivals stand for the sessions, of one request each: arrivals x scale.
The money value gives a second figure for the same: movements/s = yearly value / ticket / seconds x peak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stormdrill.profile import Profile

DAY_S = 86_400
YEAR_S = 365 * DAY_S


@dataclass(frozen=True)
class Demand:
    """What a profile asks for at factor 1. Rates a second; `by_operation` holds sessions and probes."""

    sessions_per_s: float
    session_requests_per_s: float
    concurrent_sessions: float
    probe_requests_per_s: float
    requests_per_s: float
    by_operation: Mapping[str, float]
    real_sessions_per_s: float  # before `scale`
    real_requests_per_s: float
    money_by_value_per_s: float  # the bank's mean movements at peak, from its yearly value, before `scale`


def demand(profile: Profile, cells: int = 1) -> Demand:
    """The demand of `profile` over `cells` cells."""
    probes = {name: rate * cells for name, rate in profile.probes.items()}
    business, session = profile.business, profile.session
    if business is None or session is None:
        real = profile.arrivals_per_s or 0.0
        rate = real * profile.scale
        return Demand(rate, rate, 0.0, 0.0, rate, {}, real, real, 0.0)
    real = (
        business.monthly_active * business.daily_share * business.uses_per_day * business.peak_factor / DAY_S
    )
    rate = real * profile.scale
    shares = calls_in_session(profile)
    by_operation = {name: rate * shares.get(name, 0.0) + probes.get(name, 0.0) for name in {*shares, *probes}}
    return Demand(
        sessions_per_s=rate,
        session_requests_per_s=rate * business.calls_per_use,
        concurrent_sessions=rate * session.length_s,
        probe_requests_per_s=sum(probes.values()),
        requests_per_s=rate * business.calls_per_use + sum(probes.values()),
        by_operation=dict(sorted(by_operation.items())),
        real_sessions_per_s=real,
        real_requests_per_s=real * business.calls_per_use,
        money_by_value_per_s=business.yearly_value / business.ticket / YEAR_S * business.peak_factor,
    )


def calls_in_session(profile: Profile) -> dict[str, float]:
    """Mean number of calls of each operation in one session: the opening, then the actions by weight."""
    business, session = profile.business, profile.session
    if business is None or session is None:
        return {}
    calls: dict[str, float] = {}
    for name in session.opening:
        calls[name] = calls.get(name, 0.0) + 1.0
    further = business.calls_per_use - len(session.opening)
    total = sum(session.actions.values())
    for name, weight in session.actions.items():
        calls[name] = calls.get(name, 0.0) + further * weight / total
    return calls


def real_money_calls_per_s(profile: Profile, money: Iterable[str]) -> float:
    """Calls of the operations in `money` a second at the bank's own scale, to hold against its value."""
    return (
        sum(calls_in_session(profile).get(name, 0.0) for name in money) * demand(profile).real_sessions_per_s
    )
