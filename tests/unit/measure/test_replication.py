"""What was at risk at t0, from samples of the replication state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stormdrill.history import Event
from stormdrill.measure.chronicle import chronicle
from stormdrill.measure.money_values import Risk
from stormdrill.measure.replication import risk

S = 1_000_000_000
T0 = 100 * S
ACKNOWLEDGED = T0 - np.arange(1000, dtype=np.int64)[::-1] * 10_000_000  # 100/s for the 10 s before t0


def sync(
    at_s: float, leader: str | None = "a", standbys: tuple[str, ...] = (), cell: str = "cell0", **member: Any
) -> Event:
    members = [{"name": "a", **{k: v for k, v in member.items() if k == "lsn"}}, {"name": "b", **member}]
    data = {"database": cell, "leader": leader, "sync_standbys": list(standbys), "members": members}
    return _event("db.sync", at_s, data)


def _event(kind: str, at_s: float, data: dict[str, Any]) -> Event:
    return Event(0, T0 + round(at_s * S), "2026-01-01T00:00:00+00:00", "steady", "x", kind, data)


def found(*events: Event, **acknowledged: np.ndarray) -> Risk:
    fault = _event("fault.applied", 0.0, {"name": "k", "fault": "kill", "t0_ns": T0})
    return risk(chronicle([*events, fault]), acknowledged or {"cell0": ACKNOWLEDGED})


def test_a_synchronous_standby_leaves_nothing_at_risk() -> None:
    result = found(sync(-0.5, standbys=("b",)), sync(4, leader="b"))
    assert (result.path, result.at_risk, result.standbys) == ("synchronous", 0, ("b",))
    assert "applies to none" in result.why


@pytest.mark.parametrize(("age_s", "path"), [(2.9, "synchronous"), (3.1, "unknown")])
def test_an_old_sample_says_nothing_about_t0(age_s: float, path: str) -> None:
    assert found(sync(-age_s, standbys=("b",)), sync(4, leader="b")).path == path


def test_a_sample_after_t0_is_no_state_at_t0() -> None:
    assert found(sync(0.5, standbys=("b",))).path == "unknown"


def test_writes_inside_the_lag_are_at_risk() -> None:
    result = found(sync(-0.5, lag_s=0.25), sync(4, leader="b"))
    assert (result.path, result.lag_s, result.at_risk) == ("asynchronous", 0.25, 25)


def test_a_lag_in_bytes_becomes_seconds_by_the_growth_of_the_log() -> None:
    events = [sync(-2.5, lsn=1_000_000, lag_bytes=0), sync(-0.5, lsn=3_000_000, lag_bytes=500_000)]
    result = found(*events, sync(4, leader="b"))
    assert (result.lag_s, result.at_risk) == (0.5, 50)


def test_a_lag_in_bytes_alone_is_not_known_in_seconds() -> None:
    result = found(sync(-0.5, lag_bytes=500_000), sync(4, leader="b"))
    assert (result.path, result.at_risk) == ("asynchronous", None)


def test_without_promotion_nothing_depended_on_replication() -> None:
    assert found(sync(-0.5, lag_s=1.0), sync(4), sync(5)).path == "not_switched"


def test_the_same_leader_after_a_gap_is_a_promotion_of_sorts() -> None:
    assert found(sync(-0.5, lag_s=1.0), sync(2, leader=None), sync(5)).path == "asynchronous"


def test_silence_after_t0_is_not_taken_for_no_promotion() -> None:
    assert found(sync(-0.5, lag_s=1.0)).path == "asynchronous"


def test_no_database_in_the_topology() -> None:
    assert risk(chronicle([]), {}).path == "none"


NOBODY = np.empty(0, np.int64)
KEPT = (sync(-0.5, standbys=("b",)), sync(4))
LAGGING = (sync(-0.5, cell="cell1", lag_s=0.25), sync(4, leader="b", cell="cell1"))


def test_another_cell_that_kept_its_leader_hides_nothing() -> None:
    result = found(*LAGGING, *KEPT, cell0=NOBODY, cell1=ACKNOWLEDGED)
    assert (result.path, result.at_risk) == ("asynchronous", 25)
    assert result.why.startswith("cell1: ")


def test_the_writes_of_another_cell_were_not_at_risk() -> None:
    assert found(*LAGGING, *KEPT, cell0=ACKNOWLEDGED, cell1=NOBODY).at_risk == 0


def test_a_leader_of_another_cell_is_no_promotion() -> None:
    result = found(*KEPT, *LAGGING, cell0=ACKNOWLEDGED)
    assert (result.path, result.why[:6]) == ("not_switched", "a stay")


def test_of_two_hurt_cells_the_one_with_more_at_risk_counts() -> None:
    both = (sync(-0.5, lag_s=0.1), sync(4, leader="b"), *LAGGING)
    assert found(*both, cell0=ACKNOWLEDGED, cell1=ACKNOWLEDGED).at_risk == 25
    unsure = (sync(-0.5, lag_bytes=9), sync(4, leader="b"), *LAGGING)
    assert found(*unsure, cell0=ACKNOWLEDGED, cell1=ACKNOWLEDGED).at_risk is None


def test_a_cell_without_a_sample_is_not_known() -> None:
    assert found(*KEPT, cell0=ACKNOWLEDGED, cell1=ACKNOWLEDGED).path == "unknown"


def test_the_lag_counts_back_from_the_last_write_before_the_fault_was_in_place() -> None:
    """Agents took half a second; the site acknowledged for 0.2 s of it."""
    late = np.sort(np.concatenate([ACKNOWLEDGED, T0 + np.arange(1, 21) * 10_000_000]))
    told = _event(
        "db.standby", -0.5, {"database": "cell0", "site": "city2", "state": "streaming", "lag_s": 0.1}
    )
    done = _event("promote.done", 9.0, {"database": "cell0", "region": "city2"})
    data = {"name": "k", "fault": "region_loss", "t0_ns": T0, "in_place_ns": T0 + S // 2}
    result = risk(chronicle([told, done, _event("fault.applied", 0.0, data)]), {"cell0": late}, allowed_s=1.0)
    assert (result.at_risk, result.within_allowed) == (10, 70)
