"""Parts of a recovery from events."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from stormdrill.history import Event
from stormdrill.measure.parts import marks, parts

S = 1_000_000_000
T0 = 50 * S


def event(kind: str, at_s: float, **data: Any) -> Event:
    data = {"database": "cell0", **data} if kind == "db.leader" else data
    return Event(0, T0 + round(at_s * S), "", "recover", "stormdrill", kind, data)


def split(
    events: list[Event], recovered_s: float | None, good_s: float | None = None
) -> list[tuple[str, float, float]]:
    found = marks(events, T0, "cell0")
    return [(p.name, p.start_s, p.end_s) for p in parts(found, T0, recovered_s, [good_s] * len(found), 0.1)]


def test_a_promotion_splits_detect_promote_route_and_warm_up() -> None:
    events = [
        event("db.leader", -10, member="a"), event("db.leader", 2.0, member=None),
        event("db.leader", 5.5, member="b", timeline=2),
    ]  # fmt: skip
    assert split(events, 9.0, 6.0) == [
        ("detect", 0.0, 2.0), ("promote", 2.0, 5.5), ("route", 5.5, 6.0), ("warm up", 6.0, 9.0),
    ]  # fmt: skip


def test_a_leader_started_again_in_its_place_is_known_by_its_own_word() -> None:
    def sync(at_s: float, started: str, leader: str = "a") -> Event:
        utc = f"2026-01-01T00:00:{30 + at_s:09.6f}+00:00"
        members = [{"name": "a", "started": f"2026-01-01 00:00:{started}+00:00"}]
        data = {"database": "cell0", "leader": leader, "members": members}
        return Event(0, T0 + round(at_s * S), utc, "recover", "patroni", "db.sync", data)

    lost, back = event("db.leader", 0.3, member=None), event("db.leader", 4.5, member="a", timeline=1)
    events = [event("db.leader", -10, member="a"), sync(-1, "05.000000"), lost, back]
    again = [*events, sync(4.5, "32.200000")]
    assert split(again, 3.2, 2.9) == [
        ("detect", 0.0, 0.3), ("restart", 0.3, 2.2), ("route", 2.2, 2.9), ("warm up", 2.9, 3.2),
    ]  # fmt: skip
    assert "restart" not in [name for name, *_ in split([*events, sync(4.5, "05.000000")], 3.2)]
    assert "restart" not in [name for name, *_ in split([*events, sync(4.5, "32.200000", "b")], 3.2)]
    assert "restart" not in [name for name, *_ in split([*events, sync(4.5, "32.2 CET")], 3.2)]


def test_a_leader_that_stays_waits_until_it_gives_up_the_standby_it_lost() -> None:
    """The other cell of a zone that is cut off: its primary goes on, its commits wait for a standby there."""

    def sync(at_s: float, *standbys: str, leader: str = "a", database: str = "cell0") -> Event:
        return event("db.sync", at_s, database=database, leader=leader, sync_standbys=list(standbys))

    events = [event("db.leader", -10, member="a"), sync(-1, "b"), sync(1, "b"), sync(10.9), sync(12)]
    assert split(events, 11.5, 11.2) == [
        ("drop standby", 0.0, 10.9),
        ("route", 10.9, 11.2),
        ("warm up", 11.2, 11.5),
    ]
    assert split(events, 10.4) == [("drop standby", 0.0, 10.4)]  # seen a poll later than it was
    assert split(events, 5.0) == [("unexplained", 0.0, 5.0)]
    for other in (
        [sync(-1), sync(2)],
        [sync(-1, "b"), sync(2, leader="c")],
        [sync(-1, "b", database="cell1"), sync(2)],
    ):
        assert [name for name, *_ in split(other, 3.0)] == ["unexplained"]


def test_the_leaders_of_other_cells_explain_nothing() -> None:
    other = [
        event("db.leader", 0.5, member=None, database="cell1"),
        event("db.leader", 1.0, member="d", database="cell1"),
    ]
    pod = event("pod.replaced", 2.0, service="ledger", new={"pod": "x"}, ready_ns=T0 + 2 * S)
    assert split(other, 3.0) == [("unexplained", 0.0, 3.0)]
    assert split([*other, pod], 3.0, 2.5)[0] == ("replace", 0.0, 2.0)
    mine = event("db.leader", 2.5, member="b")
    assert split([*other, mine], 3.0, 2.7)[0] == ("detect and promote", 0.0, 2.5)


def test_the_observed_time_counts_not_when_it_was_written_down() -> None:
    late = event("db.leader", 9.0, member="b", since_ns=T0 + 4 * S)
    assert split([late], 6.0)[0] == ("detect and promote", 0.0, 4.0)


def test_without_events_everything_is_unexplained() -> None:
    assert split([], 3.0) == [("unexplained", 0.0, 3.0)]


def test_a_mark_after_recovery_explains_nothing() -> None:
    assert split([event("pod.replaced", 8.0, service="ledger", new={"pod": "x"})], 3.0) == [
        ("unexplained", 0.0, 3.0)
    ]


def test_pods_count_only_when_no_leader_changed() -> None:
    pod = event("pod.replaced", 1.0, service="ledger", new={"pod": "x"}, ready_ns=T0 + S)
    assert [name for name, _, _ in split([pod], 2.0, 1.2)] == ["replace", "route", "warm up"]
    both = split([pod, event("db.leader", 1.5, member="b")], 2.0, 1.9)
    assert both[0][0] == "detect and promote"


def test_a_promotion_seen_within_a_poll_after_recovery_brought_it_about() -> None:
    events = [event("db.leader", 0.4, member=None), event("db.leader", 15.3, member="b")]
    assert split(events, 15.0) == [("detect", 0.0, 0.4), ("promote", 0.4, 15.0)]
    assert split(events, 14.0) == [("detect", 0.0, 0.4), ("unexplained", 0.4, 14.0)]


def test_after_detection_alone_the_rest_is_unexplained() -> None:
    assert split([event("db.leader", 1.0, member=None)], 2.0, 1.1) == [
        ("detect", 0.0, 1.0), ("unexplained", 1.0, 2.0),
    ]  # fmt: skip


@pytest.mark.parametrize("recovered_s", [None, 0.0])
def test_nothing_to_split(recovered_s: float | None) -> None:
    assert split([event("db.leader", 1.0, member="b")], recovered_s) == []


def test_the_parts_add_up() -> None:
    events = [event("pod.replaced", at, service="s", new="x") for at in (0.5, 0.7)]
    found = split(events, 2.3, 0.9)
    assert found[0][1] == 0.0
    assert found[-1][2] == 2.3
    assert all(a[2] == b[1] for a, b in itertools.pairwise(found))
