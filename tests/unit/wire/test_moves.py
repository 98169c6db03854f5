"""A failover inside a drill: its order, what it refuses, and how it ends when the run is stopped or killed."""

import functools
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from stormdrill.direct import failover
from stormdrill.direct.rebuild import Wanted, rebuild
from stormdrill.direct.side import pair_of
from stormdrill.drill import moves, taking_over
from stormdrill.errors import Aborted, ActionError, TargetError
from stormdrill.fence import State
from stormdrill.scenario import Activity, ActivityKind

from .moving import Drill
from .postgres import BIN, Database
from .sites import Sites

pytestmark = pytest.mark.skipif(not (BIN / "postgres").exists(), reason="PostgreSQL 15 is not installed")


@pytest.fixture(scope="module")
def database():
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    made = Database(directory)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(directory)


@pytest.fixture
def sites(database):
    made = Sites(database)
    yield made
    made.close()


@pytest.fixture
def drill(sites, api, tmp_path):
    return Drill(sites, api.cluster(), tmp_path)


def test_closed_then_promoted_then_led_there_and_every_step_is_told(drill):
    drill.switching.arm("city1")
    done = drill.fail_over()
    assert done["region"] == "city2"
    assert drill.sites.calls == ["promote away", "restore city2-a", "drain city1-a"]
    assert (drill.replicas, drill.fence.state, drill.fence.how) == (0, State.CLOSED, "proven")
    wanted = ["fence.armed", "decision", "fence.closed", "promote.started", "promote.done", "route.changed"]
    assert [kind for kind in dict.fromkeys(drill.kinds) if kind in wanted] == wanted
    assert all(data["auto"] for kind, data in drill.told if kind == "decision")
    assert drill.kinds.count("fence.closed") == 1  # it is not looked at twice: dead sites answer slowly
    assert drill.switching.closed == {"main"}


def test_a_promoted_site_is_held_whatever_ends_the_run(drill):
    drill.switching.arm("city1")
    drill.fail_over()
    drill.sites.writes("home", False)  # as its fence has it
    drill.stop.request("stopped by SIGINT", "signal")
    (held,) = drill.switching.end()
    assert "city2 has been promoted and leads; city1 is closed for writers (proven)" in held
    assert "Refused: to open city1 as it was, a second failover, a drill" in held
    assert (drill.replicas, drill.kinds[-1]) == (0, "hold")


def test_a_second_failover_is_refused_and_changes_nothing(drill):
    drill.switching.arm("city1")
    drill.fail_over()
    with pytest.raises(ActionError, match="has been promoted already"):
        drill.fail_over()
    assert drill.sites.calls.count("promote away") == 1


def test_nothing_is_moved_whose_fence_was_not_armed(drill):
    with pytest.raises(ActionError, match="return: fenced"):
        drill.fail_over()
    assert (drill.replicas, drill.sites.calls) == (1, [])


def test_a_fence_that_is_not_obtained_promotes_nobody_and_is_taken_back(drill, monkeypatch):
    monkeypatch.setattr(failover, "_TRY_S", 0.1)
    spec = {"nodeName": "node-a", "containers": [{"name": "pg", "image": "pg"}]}
    drill.cluster.create(
        f"/api/v1/namespaces/{drill.namespace}/pods", {"metadata": {"name": "pg-a-0"}, "spec": spec}
    )
    drill.switching.arm("city1")
    close = failover.close
    monkeypatch.setattr(
        "stormdrill.drill.taking_over.close", lambda old, by, check: close(old, by, check, deadline_s=0.3)
    )
    with pytest.raises(ActionError, match=r"pg-a-0 may still run.*Nobody was promoted"):
        drill.fail_over()
    assert drill.switching.end() == []
    assert (drill.replicas, drill.fence.state, drill.sites.calls) == (1, State.OPEN, [])
    assert "failover.called_off" in drill.kinds


def test_a_stop_before_the_promotion_gives_everything_back(drill):
    drill.switching.arm("city1")
    drill.stop.request("stopped by SIGINT", "signal")
    with pytest.raises(Aborted):
        drill.fail_over(after_s=60.0, t0_ns=0)
    assert drill.switching.end() == []
    assert (drill.replicas, drill.fence.state, drill.sites.calls) == (1, State.OPEN, [])


def test_a_stop_after_the_fence_and_before_the_promotion_promotes_nobody(drill):
    drill.switching.arm("city1")
    drill.on = {"decision": lambda data: "promote" in data["what"] and drill.stop.request("SIGINT", "signal")}
    with pytest.raises(Aborted):
        drill.fail_over()
    assert drill.fence.state is State.CLOSED
    assert drill.switching.end() == []
    assert (drill.replicas, drill.fence.state, drill.sites.calls) == (1, State.OPEN, [])


def test_an_estate_that_does_not_answer_before_the_promotion_is_given_back(drill, monkeypatch):
    monkeypatch.setattr(taking_over, "close", functools.partial(failover.close, deadline_s=1.0))
    drill.switching.arm("city1")

    def lost(_):
        raise TargetError("a fake")

    drill.on = {"fence.closed": lost}
    with pytest.raises(ActionError, match="a fake"):
        drill.fail_over()
    drill.on = {"decision": lambda data: "promote" in data["what"] and lost(data)}
    with pytest.raises(TargetError, match="a fake"):
        drill.fail_over()
    assert drill.switching.end() == []
    assert (drill.replicas, drill.fence.state, drill.sites.calls) == (1, State.OPEN, [])


def test_a_stop_in_the_promotion_is_waited_out_and_then_held(drill):
    drill.switching.arm("city1")
    ended = []

    def stopped():
        drill.stop.request("stopped by SIGINT", "signal")
        thread = threading.Thread(target=lambda: ended.extend(drill.switching.end()))
        thread.start()
        drill.sites.on_patch = lambda: None
        drill.thread = thread

    drill.sites.on_patch = stopped
    drill.fail_over()
    drill.thread.join(20)
    assert drill.sites.calls[-1] == "drain city1-a"  # phones are led on: forward is the only way
    assert "hold" in drill.kinds
    assert len(ended) == 1
    assert drill.replicas == 0


def test_a_promotion_without_an_answer_may_come_about_yet_and_is_held(drill):
    drill.switching.arm("city1")
    drill.sites.refuse_promotion = True
    with pytest.raises(TargetError, match="PATCH"):
        drill.fail_over()
    (held,) = drill.switching.end()
    assert "nobody takes writes. Safe: open city1 again (`stormdrill recover`" in held
    assert drill.replicas == 0
    assert (len(drill.settle()[0]), drill.replicas) == (1, 1)


def test_a_fence_skipped_on_purpose_is_said_and_leaves_both_writing(drill):
    drill.switching.arm("city1")
    drill.fail_over(fence="skipped")
    assert drill.replicas == 1
    assert "fence.closed" not in drill.kinds
    (held,) = drill.switching.end()
    assert "city1 TAKES WRITES as well" in held
    found, left = drill.settle()  # the next command closes it, for two may not write
    assert "closed (proven)" in found[0]
    assert drill.replicas == 0
    assert left


def test_a_fence_is_skipped_although_nobody_was_lost(drill):
    drill.fail_over(fence="skipped")
    assert drill.sites.calls[0] == "promote away"
    assert "promote city2 without a fence" in [data.get("what") for _, data in drill.told]


def test_a_return_is_refused_of_what_was_not_failed_over_or_is_not_closed(drill, tmp_path):
    with pytest.raises(ActionError, match="was not failed over"):
        drill.switching.fail_back("main", "x")
    pair = pair_of(drill.topology, "main", drill.clusters, lambda *_, **__: None)
    drill.sites.promote()
    with pytest.raises(ActionError, match="city1 is not fenced"):
        rebuild(pair.home, pair.standby, Wanted("ada", tmp_path / "fork.json"), lambda *_, **__: None)
    assert drill.sites.calls == []


def test_killed_in_the_switch_back_it_says_that_nobody_leads_and_who_has_all_leads_again(drill):
    for name in ("home", "away"):
        drill.sites.follow(name)
    (why,) = drill.unusual()
    assert "follow each other" in why
    assert "nobody takes writes" in why
    found, left = drill.settle()
    assert found, left
    assert "city2 takes writes again" in found[0]
    assert drill.sites.calls[0] == "promote away"
    assert drill.sites.settings["home"] != {}
    assert "city2 leads and city1 follows it. Safe: hold; or switch back" in left[0]


def test_a_return_that_broke_in_the_middle_is_held_and_not_called_a_failover_called_off(drill):
    drill.switching.arm("city1")
    drill.fail_over()
    drill.switching._armed["city1"]["main"].open(drill.switching.by)
    for name in ("home", "away"):
        drill.sites.follow(name)
    drill.sites.refuse_promotion = True
    with pytest.raises(TargetError, match="PATCH"):
        drill.switching.fail_back("", "x")
    (held,) = drill.switching.end()
    assert "follow each other" in held
    assert "failover.called_off" not in drill.kinds


def test_killed_after_the_promotion_the_next_run_is_refused_and_recover_opens_nothing(drill):
    drill.switching.arm("city1")
    drill.fail_over()  # and the harness is dead
    drill.sites.writes("home", False)
    (why,) = drill.unusual()
    assert "city2 has been promoted" in why
    found, left = drill.settle()
    assert (found, left) == ([], [why])
    assert drill.replicas == 0


def test_killed_in_the_promotion_a_member_with_an_old_copy_misleads_nobody_and_phones_are_led_on(drill):
    drill.switching.arm("city1")
    drill.switching._armed["city1"]["main"].close(drill.switching.by)
    drill.sites.stale = {"away": {"standby_cluster": {"host": "pg-a-0.pg"}}}
    drill.sites.promote()  # and the harness is dead
    drill.sites.writes("home", False)
    found, left = drill.settle()
    assert "phones were not led to city2" in found[0]
    assert "city2 has been promoted and leads" in left[0]
    assert drill.sites.calls == ["restore city2-a", "drain city1-a"]
    assert drill.replicas == 0


def test_killed_before_the_promotion_recover_opens_what_a_drill_closed_and_not_what_people_closed(drill):
    drill.switching.arm("city1")
    fencing = drill.switching._armed["city1"]["main"]
    fencing.close("ada")
    assert "has not been promoted: nobody takes writes" in drill.unusual()[0]
    assert (drill.settle()[0], drill.replicas) == ([], 0)
    fencing.close(drill.switching.by)
    found, left = drill.settle()
    assert (len(found), left, drill.replicas) == (1, [], 1)


@pytest.mark.parametrize(("by", "opens"), [("drill r1", True), ("stormdrill recover", True), ("ada", False)])
def test_killed_before_the_edges_were_opened_recover_opens_those_that_a_drill_shut(drill, by, opens):
    drill.switching.arm("city1")
    fencing = drill.switching._armed["city1"]["main"]
    fencing.close(by, deadline_s=0)
    fencing.open(by, edges=False)  # and whoever did it is dead
    assert (drill.unusual(), drill.fence.edges_shut) == ([], True)
    found, left = drill.settle()
    assert (len(found), left) == (int(opens), [])
    assert drill.fence.edges_shut is not opens
    assert drill.settle() == ([], [])


def test_a_bench_that_a_dead_rebuild_left_on_a_volume_is_removed(drill):
    spec = {"nodeName": "node-a", "containers": [{"name": "pg", "image": "pg"}]}
    meta = {"name": "pg-a-0-bench", "labels": {"app": "stormdrill-bench"}}
    drill.cluster.create(f"/api/v1/namespaces/{drill.namespace}/pods", {"metadata": meta, "spec": spec})
    drill.settle()
    assert not drill.cluster.pods(drill.namespace, "")


def test_an_armed_fence_of_a_dead_drill_is_disarmed(drill):
    drill.switching.arm("city1")
    assert drill.unusual() == []
    assert "disarmed" in drill.settle()[0][0]
    assert drill.fence.state is State.OPEN


def test_a_rehearsal_names_a_name_that_leads_elsewhere(drill):
    activity = Activity("x", ActivityKind.ACTION, "fail_over", {"why": "x"})
    drill.sites.drained = {"city1-a": True, "city2-a": False}
    with pytest.raises(ActionError, match="the name leads to city2; main's database is in city1"):
        moves.rehearse(drill.topology, drill.clusters, activity)
    drill.sites.drained = {"city1-a": False, "city2-a": True}
    moves.rehearse(drill.topology, drill.clusters, activity)
