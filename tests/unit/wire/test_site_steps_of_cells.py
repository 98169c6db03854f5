"""A runbook's `site:` steps without a cell: all cells at home in the lost region, on the fakes of two."""

import pytest

from stormdrill.direct.side import pair_of
from stormdrill.runbook.calls.site import Site

from .moving import Drill
from .postgres import BIN
from .sites import Sites
from .test_moves_of_cells import database, homes_are_shut  # noqa: F401 - a fixture
from .test_site_steps import Desk

pytestmark = pytest.mark.skipif(not (BIN / "postgres").exists(), reason="PostgreSQL 15 is not installed")


class AllCells(Desk):
    """The same calls, of no cell by name."""

    def do(self, what, **more):
        return Site("", "city1", what, True, "by decision", **more).run(self.around)

    def look(self, what):
        return Site("", "city1", what, False).run(self.around)


@pytest.fixture
def desk(database, api, tmp_path):  # noqa: F811
    sites, cluster = Sites(database, cells=2), api.cluster()
    yield AllCells(Drill(sites, cluster, tmp_path), cluster, tmp_path)
    sites.close()


def test_every_cell_is_closed_and_promoted_and_phones_are_led_once(desk):
    assert "main: proven" in desk.do("close").saw
    assert desk.look("closed").holds
    desk.drill.sites.refuse_promotion = "away-2"
    half = desk.do("promote")
    assert (half.holds, "main: city2 takes writes" in half.saw, "second: Patroni: PATCH" in half.saw) == (
        False,
        True,
        True,
    )
    homes_are_shut(desk.drill)
    assert not desk.look("promoted").holds
    desk.drill.sites.refuse_promotion = False
    assert desk.do("promote").holds  # what an earlier attempt did is not done again
    assert desk.drill.sites.calls.count("promote away") == 1
    assert desk.look("promoted").holds
    assert desk.do("lead").holds
    assert desk.drill.sites.calls[-2:] == ["restore city2-a", "drain city1-a"]


def test_all_switch_back_together(desk):
    for what in ("close", "promote", "lead"):
        assert desk.do(what).holds, what
    assert "does not follow city2: rebuild it first" in desk.do("switch_back").saw
    for cell, name in (("main", "home"), ("second", "home-2")):
        pair = pair_of(desk.drill.topology, cell, desk.drill.clusters, lambda *_, **__: None)
        pair.home.fencing.open("ada", edges=False)
        desk.drill.sites.follow(name)
    assert desk.look("rebuilt").holds
    back = desk.do("switch_back")
    assert back.holds, back.saw
    assert desk.look("home").holds
    assert desk.do("switch_back").holds  # and is home already


def test_a_region_where_nobody_is_at_home_is_a_problem(desk):
    said = list(Site("", "city2", "close", True).problems(desk.drill.topology))
    assert "no cell with two sites at home in city2" in said[0]
    assert "every cell at home there" in Site("", "city1", "close", True).text
