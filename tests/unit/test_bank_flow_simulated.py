"""Flow control in a simulated surge: goodput holds with it and collapses without, and nobody important notices."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.bank_simulation import DEPLOYED, Demand, Simulation, World

from stormbank.operations import Operation

BALANCE = Operation("balance", "GET", "/b", "A2")
MIX = (
    Demand(Operation("login", "POST", "/i", "A1"), 5, 0.020),
    Demand(BALANCE, 52, 0.008),
    Demand(Operation("transfer", "POST", "/t", "A1", money=True), 30, 0.015),
    Demand(Operation("bills", "GET", "/l", "B"), 37, 0.040),
    Demand(Operation("checkin", "POST", "/c", "C"), 12, 0.120),
)
ALIKE = World((Demand(BALANCE, 1, 0.020),))
MIXED = World(MIX)
WIDE = replace(DEPLOYED, limit=1000)
# One mechanism at a time: what holds with all of them may be the work of another.
ONLY_ADAPTIVE = replace(WIDE, off=frozenset({"queue", "deadline", "fairness", "confirm-first", "order"}))
ONLY_QUEUE = replace(WIDE, off=frozenset({"adaptive", "deadline", "fairness", "confirm-first", "order"}))
NEITHER = replace(WIDE, off=ONLY_ADAPTIVE.off | ONLY_QUEUE.off)


def goodput(world, times, end_s=14.0):
    return Simulation(world.offering(times)).run(end_s).goodput_per_s(4.0, end_s)


@pytest.fixture(scope="module")
def best():
    """The most that this bank does, over offers around its capacity."""
    return max(goodput(ALIKE, times) for times in (0.9, 1.0, 1.2, 1.5))


@pytest.mark.parametrize("times", [2, 3])
def test_goodput_holds_at_a_multiple_of_capacity(best, times):
    assert goodput(ALIKE, times) >= 0.9 * best
    assert best >= 0.9 * ALIKE.capacity_per_s


@pytest.mark.parametrize("rules", [ONLY_ADAPTIVE, ONLY_QUEUE], ids=["adaptive", "queue"])
def test_each_of_the_two_holds_it_alone_where_without_both_it_collapses(best, rules):
    world = replace(ALIKE, deadlines=False)
    assert goodput(replace(world, rules=rules), 3) >= 0.85 * best
    assert goodput(replace(world, rules=NEITHER), 3) < 0.2 * best


def test_the_limit_is_found_without_the_ledgers_telling_how_long_a_request_waited(best):
    assert goodput(replace(ALIKE, reports=False), 3) >= 0.9 * best


def test_the_most_important_business_does_not_notice_three_times_of_everything():
    """Its own demand is then three quarters of capacity."""
    happened = Simulation(MIXED.offering(3)).run(24, from_s=4)
    for tier in ("A1", "A2"):
        assert happened.share_good(tier) >= 0.99
    refused = [happened.shed[tier] / happened.asked[tier] for tier in ("C", "B", "A2", "A1")]
    assert refused[0] > refused[1] > 0.5
    assert max(refused[2:]) < 0.01
    assert happened.p99_s() < 0.3


def test_an_inverted_order_is_seen():
    world = replace(MIXED, rules=replace(DEPLOYED, tier_order=("C", "B", "A2", "A1")))
    happened = Simulation(world.offering(3)).run(14, from_s=4)
    assert happened.share_good("A1") < 0.2 < happened.share_good("C")


def test_at_seven_tenths_of_capacity_hardly_anybody_is_refused():
    happened = Simulation(MIXED.offering(0.7)).run(24, from_s=4)
    assert (happened.shed["A1"], happened.shed["A2"]) == (0, 0)
    assert happened.shed["B"] < 0.01 * happened.asked["B"]
    assert happened.shed["C"] < 0.04 * happened.asked["C"]
    assert happened.p99_s() < 0.2


@pytest.mark.parametrize("reports", [True, False])
def test_a_stall_as_of_a_failover_leaves_no_wrong_limit_behind(best, reports):
    """Nothing answers for 8 s at 0.8 of capacity; as much gets done afterwards as before."""
    world = replace(ALIKE, stalled_s=(10.0, 18.0), reports=reports).offering(0.8)
    happened = Simulation(world).run(36)
    before, after = happened.goodput_per_s(4, 10), happened.goodput_per_s(22, 36)
    assert happened.goodput_per_s(11.5, 18) == 0.0
    assert after >= 0.97 * before


def test_the_simulation_repeats_itself():
    first, second = (Simulation(MIXED.offering(2)).run(5) for _ in range(2))
    assert (first.good, first.shed, first.took_s) == (second.good, second.shed, second.took_s)
