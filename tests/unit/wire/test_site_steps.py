"""A runbook's `site:` steps on the fakes of two sites: what they do, what they refuse, what a second run finds."""

import os
import signal
import threading

import pytest

from stormdrill.errors import InputError
from stormdrill.fence import State
from stormdrill.runbook.attention import Attention, Leave
from stormdrill.runbook.calls.site import Site
from stormdrill.runbook.desk import NoDesk
from stormdrill.runbook.perform import Performer
from stormdrill.runbook.surroundings import Surroundings
from stormdrill.runbook.values import Action, Expectation, Step

from .test_moves import BIN, Drill, database, sites  # noqa: F401 - fixtures

pytestmark = pytest.mark.skipif(not (BIN / "postgres").exists(), reason="PostgreSQL 15 is not installed")


class Desk:
    """One runbook's `site:` calls."""

    def __init__(self, drill, cluster, kept) -> None:
        self.drill, self.told, self.stop = drill, [], lambda: None

        class Here(Surroundings):
            def cluster(self, region):
                return cluster

        tell = lambda kind, actor="", mono_ns=None, **data: self.told.append((kind, actor, data))  # noqa: E731
        self.around = Here(kept, drill.topology, None, kept, "ada", tell, self.check)

    def check(self):
        self.stop()

    def do(self, what, **more):
        return Site("main", "city1", what, True, "by decision", **more).run(self.around)

    def look(self, what):
        return Site("main", "city1", what, False).run(self.around)


@pytest.fixture
def desk(sites, api, tmp_path):  # noqa: F811
    cluster = api.cluster()
    return Desk(Drill(sites, cluster, tmp_path), cluster, tmp_path)


def pod_that_may_run(desk):
    spec = {"nodeName": "node-a", "containers": [{"name": "pg", "image": "pg"}]}
    place = f"/api/v1/namespaces/{desk.drill.namespace}/pods"
    desk.drill.cluster.create(place, {"metadata": {"name": "pg-a-0"}, "spec": spec})


def test_there_with_every_step_on_record_and_a_second_run_finds_it_done(desk):
    assert not desk.look("closed").holds
    assert not desk.look("promoted").holds
    assert desk.do("close").saw.startswith("proven")
    assert desk.look("closed").holds
    promoted = desk.do("promote")
    assert promoted.holds
    assert promoted.evidence["write_ns"] > 0
    desk.drill.sites.writes("home", False)
    assert (desk.look("promoted").holds, desk.look("led").holds) == (True, False)
    assert desk.do("lead").holds
    assert desk.look("led").holds
    wanted = ["fence.closed", "decision", "promote.started", "promote.done", "route.changed"]
    assert [kind for kind in dict.fromkeys(kind for kind, *_ in desk.told) if kind in wanted] == wanted
    assert {actor for _, actor, _ in desk.told} <= {"ada", ""}
    assert (desk.drill.fence.by, desk.drill.fence.state) == ("ada", State.CLOSED)
    again = desk.do("promote")
    assert (again.holds, "has been promoted already" in again.saw) == (False, True)


def test_a_promotion_that_somebody_died_over_is_waited_for_and_not_asked_for_again(desk):
    desk.do("close")
    away = desk.drill.sites
    del away.settings["away"]["standby_cluster"]
    assert not desk.look("promoted").holds
    coming_about = threading.Timer(0.5, away.writes, ("away", True))
    coming_about.start()
    promoted = desk.do("promote")
    coming_about.join()
    assert promoted.holds, promoted.saw
    assert away.calls == []
    assert [kind for kind, *_ in desk.told if kind.startswith("promote")] == ["promote.done"]


@pytest.mark.parametrize("cut_off", [True, False])
def test_a_promotion_whose_maker_did_not_live_to_tell_is_told_by_who_goes_on(desk, cut_off):
    desk.do("close")
    desk.drill.sites.promote()
    call, promoted = Site("main", "city1", "promote", True, "x"), Site("main", "city1", "promoted", False)
    step = Step("promote", 1, "Promote", "", 1, Action(call, Expectation(promoted, 0.0), False, None))
    performer = Performer(NoDesk(lambda _: None), desk.around, Attention())
    assert performer.perform(step, lambda: None, cut_off=cut_off).result == "already"
    told = [data for kind, _, data in desk.told if kind == "promote.done"]
    assert [(one["database"], one["region"]) for one in told] == [("main", "city2")] * cut_off
    assert all(one["proof"]["timeline"] for one in told)


def test_a_promotion_that_somebody_died_over_is_not_taken_for_a_fence(desk):
    del desk.drill.sites.settings["away"]["standby_cluster"]
    assert "is not fenced (never armed)" in desk.do("promote").saw


def test_a_promotion_is_refused_before_the_fence_and_on_a_fence_that_is_not_proven(desk, monkeypatch):
    assert "is not fenced (never armed)" in desk.do("promote").saw
    monkeypatch.setattr("stormdrill.runbook.calls.site_work.CLOSED_WITHIN_S", 0.2)
    monkeypatch.setattr("stormdrill.direct.failover._TRY_S", 0.1)
    pod_that_may_run(desk)
    assert "pg-a-0 may still run" in desk.do("close").saw
    assert not desk.look("closed").holds
    assert "To go on, a person has to declare it" in desk.do("promote").saw
    assert desk.drill.sites.calls == []
    declared = desk.do("promote", declared="its power is off")
    assert (declared.holds, "declared" in declared.saw) == (True, True)
    assert "its power is off" in desk.drill.fence.why


def test_a_way_back_is_refused_before_the_fence_and_a_switch_before_the_rebuild(desk):
    desk.drill.sites.promote()
    assert "city1 is not fenced" in desk.do("rebuild").saw
    assert "city1 is not fenced" in desk.do("export").saw
    assert "rebuild it first" in desk.do("switch_back").saw
    assert "TAKES WRITES as well" in desk.drill.unusual()[0]
    assert desk.drill.sites.calls == []


def test_a_drill_does_not_wait_at_home_for_what_people_closed(desk):
    assert desk.drill.switching.closed == set()
    desk.do("close")
    assert desk.drill.switching.closed == {"main"}


def test_what_people_closed_is_not_opened_by_recover(desk):
    desk.do("close")
    found, left = desk.drill.settle()
    assert (found, desk.drill.replicas) == ([], 0)
    assert "by ada" in left[0]


def test_somebody_who_wants_to_leave_does_so_before_the_promotion(desk):
    desk.do("close")

    class LeavingError(Exception):
        pass

    def leave():
        raise LeavingError

    desk.stop = leave
    with pytest.raises(LeavingError):
        desk.do("promote")
    assert desk.drill.sites.calls == []


def test_ctrl_c_is_heard_when_the_promotion_is_done_and_not_half_way(desk):
    desk.do("close")
    attention = Attention()
    call, proof = Site("main", "city1", "promote", True, "x"), Site("main", "city1", "promoted", False)
    work = Action(call, None, True, Expectation(proof, 20.0))
    step = Step("promote", 1, "Promote", "", 1, work)
    desk.drill.sites.on_patch = lambda: os.kill(os.getpid(), signal.SIGINT)
    performer = Performer(NoDesk(lambda _: None), desk.around, attention)
    with attention.watching(), pytest.raises(Leave, match="SIGINT"):
        performer.perform(step, lambda: None, cut_off=False)
    assert "promote.done" in [kind for kind, *_ in desk.told]
    assert desk.look("promoted").holds


def test_a_cell_or_a_site_that_the_topology_does_not_have_is_a_problem(desk):
    wrong = [Site("main", "city9", "close", True), Site("other", "city1", "close", True)]
    said = [text for call in wrong for text in call.problems(desk.drill.topology)]
    assert "city1 and city2, not in city9" in said[0]
    assert "no database of cell other with two sites" in said[1]
    with pytest.raises(InputError, match="needs a topology"):
        Site("main", "city1", "close", True).run(Surroundings(desk.around.base))
