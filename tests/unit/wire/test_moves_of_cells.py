"""Two cells failed over by one decision: together or not at all, phones led once, and what holds when one fails."""

import shutil
import tempfile
from pathlib import Path

import pytest

from stormdrill.direct import failover
from stormdrill.drill import moves, remains_of_moves, taking_over
from stormdrill.errors import ActionError, InputError, TargetError
from stormdrill.fence import State
from stormdrill.scenario import Activity, ActivityKind

from .moving import Drill
from .postgres import BIN, Database
from .sites import Sites

pytestmark = pytest.mark.skipif(not (BIN / "postgres").exists(), reason="PostgreSQL 15 is not installed")
LED = ["restore city2-a", "drain city1-a"]
HOME_AGAIN = ["restore city1-a", "drain city2-a"]


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
    made = Sites(database, cells=2)
    yield made
    made.close()


@pytest.fixture
def drill(sites, api, tmp_path):
    return Drill(sites, api.cluster(), tmp_path)


def armed(drill):
    drill.switching.arm("city1")
    return drill


def followers(drill):
    """Both homes rebuilt behind their fences, as `rebuild` leaves them."""
    for cell, name in (("main", "home"), ("second", "home-2")):
        drill.switching._armed["city1"][cell].open(drill.switching.by, edges=False)
        drill.sites.follow(name)


def homes_are_shut(drill):
    for name in ("home", "home-2"):
        drill.sites.writes(name, False)


def test_both_are_closed_then_promoted_then_phones_are_led_once(drill):
    done = armed(drill).fail_over()
    assert (done["cells"], done["region"]) == (["main", "second"], "city2")
    assert sorted(drill.sites.calls[:2]) == ["promote away", "promote away-2"]
    assert drill.sites.calls[2:] == LED
    assert (drill.replicas_of("pg-a"), drill.replicas_of("pg-b")) == (0, 0)
    assert [drill.fence_of(cell).how for cell in ("main", "second")] == ["proven", "proven"]
    first_promotion = drill.kinds.index("promote.started")
    assert "fence.closing" not in drill.kinds[first_promotion:]
    decided = [data["what"] for kind, data in drill.told if kind == "decision"]
    assert decided[0] == "fail over main and second from city1 to city2"
    assert sorted(decided[1:]) == ["promote city2 (main)", "promote city2 (second)"]
    closed = {data["cell"] for kind, data in drill.told if kind == "fence.closed"}
    assert closed == drill.switching.closed == {"main", "second"}


def test_one_fence_that_is_not_obtained_promotes_neither_and_both_are_given_back(drill, monkeypatch):
    monkeypatch.setattr(failover, "_TRY_S", 0.1)
    close = failover.close
    monkeypatch.setattr(taking_over, "close", lambda old, by, check: close(old, by, check, deadline_s=0.5))
    spec = {"nodeName": "node-a", "containers": [{"name": "pg", "image": "pg"}]}
    drill.cluster.create(
        f"/api/v1/namespaces/{drill.namespace}/pods", {"metadata": {"name": "pg-b-0"}, "spec": spec}
    )
    with pytest.raises(ActionError, match=r"^second: .*city1 \(second\).*pg-b-0 may still run"):
        armed(drill).fail_over()
    assert drill.switching.end() == []
    assert (drill.replicas_of("pg-a"), drill.replicas_of("pg-b"), drill.sites.calls) == (1, 1, [])
    assert {drill.fence_of(cell).state for cell in ("main", "second")} == {State.OPEN}


def test_where_one_is_not_promoted_phones_are_led_to_the_other_and_all_is_held(drill):
    armed(drill).sites.refuse_promotion = "away-2"
    with pytest.raises(TargetError, match=r"^second: .*PATCH.*; main took over in city2, and phones are led"):
        drill.fail_over()
    assert drill.sites.calls == ["promote away", *LED]
    homes_are_shut(drill)
    held = drill.switching.end()
    assert "main: city2 has been promoted and leads; city1 is closed for writers" in held[0]
    assert "second: city1 is closed for writers (proven)" in held[1]
    assert "city2 has not been promoted: nobody takes writes" in held[1]
    assert (drill.replicas_of("pg-a"), drill.replicas_of("pg-b")) == (0, 0)
    assert len(drill.unusual()) == 2


def test_recover_gives_back_the_one_that_was_not_promoted_and_says_whom_phones_do_not_reach(drill):
    armed(drill).sites.refuse_promotion = "away-2"
    with pytest.raises(TargetError):
        drill.fail_over()  # and the harness is dead
    drill.sites.writes("home", False)
    drill.sites.refuse_promotion = False
    found, left = drill.settle()
    assert ["second: city1, closed by a drill that promoted nobody: opened" in text for text in found] == [
        True
    ]
    assert (drill.replicas_of("pg-a"), drill.replicas_of("pg-b")) == (0, 1)
    assert "main: city2 has been promoted and leads" in left[0]
    assert "second leads in city1 and main does not: phones can be led to one region only" in left[1]
    (home,) = moves.two_sited(drill.topology)["main"].home.members
    assert home == "pg-a-0"


def test_only_the_cell_that_is_named_is_moved(drill):
    armed(drill)
    drill.switching.fail_over("second", "x", after_s=0.0, t0_ns=None)
    assert drill.sites.calls[0] == "promote away-2"
    assert (drill.replicas_of("pg-a"), drill.replicas_of("pg-b")) == (1, 0)
    assert drill.fence_of("main").state is State.ARMED
    assert drill.switching.closed == {"second"}


def test_both_come_home_together_and_phones_are_led_when_nobody_can_write(drill):
    armed(drill).fail_over()
    followers(drill)
    drill.sites.calls.clear()
    done = drill.switching.fail_back("", "city1 is there again")
    assert done["cells"] == ["main", "second"]
    calls = drill.sites.calls
    assert sorted(calls[:2]) == ["demote away", "demote away-2"]
    assert calls[2:4] == HOME_AGAIN
    assert sorted(calls[4:]) == ["promote home", "promote home-2"]
    assert drill.switching.end() == []
    assert sorted(d["database"] for k, d in drill.told if k == "redundancy.restored") == ["main", "second"]


def test_a_switch_that_one_cell_does_not_follow_is_undone_for_both(drill):
    armed(drill).fail_over()
    followers(drill)
    drill.sites.refuse_promotion = "away-2"  # so that it cannot be demoted
    drill.sites.calls.clear()
    with pytest.raises(TargetError, match="PATCH"):
        drill.switching.fail_back("", "x")
    assert "promote home" not in drill.sites.calls
    assert drill.sites.calls[:2] == ["demote away", "promote away"]
    held = drill.switching.end()
    assert all("city2 leads and city1 follows it. Safe: hold" in text for text in held), held
    assert len(held) == 2


def test_one_of_two_does_not_come_back_alone(drill, tmp_path):
    armed(drill).fail_over()
    with pytest.raises(ActionError, match="main and second come back together"):
        drill.switching.fail_back("main", "x")
    homes_are_shut(drill)

    def bring(cell):
        return remains_of_moves.bring_back(
            drill.topology, drill.clusters, cell, tmp_path, say=lambda _: None, check=lambda: None
        )

    with pytest.raises(InputError, match="second is away as well"):
        bring("main")
    with pytest.raises(InputError, match="no database of cell third"):
        bring("third")
    followers(drill)
    assert [path.name.split("-")[1] for path in bring("")] == ["main", "second"]
    assert drill.unusual() == []


def test_edges_stay_shut_while_another_cell_is_closed_behind_them(drill):
    fences = armed(drill).switching._armed["city1"]
    for fence in fences.values():
        fence.close("drill x", deadline_s=0)
    fences["main"].open("drill x", edges=False)
    with pytest.raises(ActionError, match="edges of city1 stay shut: second is closed there"):
        fences["main"].open_edges()
    assert drill.settle()[0][0].startswith("second: city1, closed by a drill")  # and the edges with it
    assert not any(drill.fence_of(cell).edges_shut for cell in fences)
    fences["main"].open_edges()


def test_a_rehearsal_looks_at_every_cell(drill):
    lost = Activity("l", ActivityKind.ACTION, "lose_region", {"region": "city1", "return": "fenced"})
    over = Activity("x", ActivityKind.ACTION, "fail_over", {"why": "x"})
    moves.rehearse(drill.topology, drill.clusters, over, [lost])
    drill.sites.promote("away-2")
    with pytest.raises(ActionError, match="city2 does not follow city1"):
        moves.rehearse(drill.topology, drill.clusters, over, [lost])
