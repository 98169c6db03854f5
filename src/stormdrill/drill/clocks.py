"""Prometheus' clock against ours: its samples are laid beside our records by wall-clock time."""

from __future__ import annotations

from stormdrill.drill.session import Session
from stormdrill.errors import StormdrillError


def compare_prometheus(session: Session) -> None:
    """Record `prometheus.clock`: `offset_s` (positive: its clock is ahead), known to ± `error_s`.

    `offset_s` is None, with `why`, when it did not answer. Never raises; nothing happens without Prometheus.
    """
    prometheus = session.targets.prometheus
    if prometheus is None:
        return
    try:
        offset_s, error_s = prometheus.clock_offset_s()
    except StormdrillError as error:
        session.record("prometheus.clock", "prometheus", offset_s=None, error_s=None, why=str(error))
    else:
        session.record(
            "prometheus.clock", "prometheus", offset_s=round(offset_s, 4), error_s=round(error_s, 4), why=""
        )
