"""Who is let in: buckets, tiers, confirmations, fairness, waiting and deadlines, on a clock of our own."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.bank_simulation import DEPLOYED

from stormbank.flow.bucket import TokenBucket
from stormbank.flow.control import FlowControl
from stormbank.flow.room import Room
from stormbank.flow.switches import MECHANISMS
from stormbank.flow.tiers import Tiers
from stormbank.operations import Operation
from stormbank.problem import Expired, Shed

BALANCE = Operation("balance", "GET", "/b", "A2")
PAYMENT = Operation("payment", "POST", "/p", "A1", money=True, writes=True)
BILLS = Operation("bills", "GET", "/l", "B")
CHECKIN = Operation("checkin", "POST", "/c", "C")
CONFIRM = Operation("confirm", "GET", "/m", "A1", confirms=True)
EVERY = (BALANCE, PAYMENT, BILLS, CHECKIN, CONFIRM)
FIXED = replace(
    DEPLOYED, limit=20, off=frozenset({"adaptive"}), tier_share={"A1": 1.0, "A2": 0.9, "B": 0.5, "C": 0.2}
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Counts:
    def __init__(self) -> None:
        self.reasons = Counter()

    def admitted(self, operation, dependency):
        self.reasons["admitted"] += 1

    def shed(self, operation, dependency, reason):
        self.reasons[reason] += 1


def without(*mechanisms, rules=FIXED):
    return replace(rules, off=rules.off | set(mechanisms))


def let_in(room, operation, customer=None, *, remaining_s=2.0):
    room.enter(operation, customer, remaining_s)
    room.take(customer)


def fill(room, operation, customer=None):
    """Let in as many as there is room for; say how many."""
    before = room.inflight
    with contextlib.suppress(Shed):
        for number in range(1000):
            let_in(room, operation, number if customer is None else customer)
    return room.inflight - before


def reason(room, operation, customer=None, *, remaining_s=2.0):
    with pytest.raises(Shed) as shed:
        room.enter(operation, customer, remaining_s)
    return shed.value.fields["reason"]


def wait(room, queue_s, times=20):
    for _ in range(times):
        room.answered(BALANCE, queue_s + 0.01, queue_s, good=True)


def test_the_largest_share_goes_to_the_most_important_tier_under_any_name():
    tiers = Tiers(("C", "B", "A2", "A1"), {"A1": 1.0, "A2": 0.9, "B": 0.5, "C": 0.2})
    assert [tiers.share(tier) for tier in ("C", "B", "A2", "A1")] == [1.0, 0.9, 0.5, 0.2]
    letters = Tiers(("A", "B"), {"A": 1.0, "B": 0.5})
    assert [letters.share(tier) for tier in ("A1", "A2", "B")] == [1.0, 1.0, 0.5]


def test_each_tier_stops_at_its_share_of_everything_in_flight():
    room = Room(FIXED, EVERY, clock=Clock())
    assert [fill(room, each) for each in (CHECKIN, BILLS, BALANCE, PAYMENT)] == [4, 6, 8, 1]
    assert reason(room, PAYMENT) == "overload"
    assert [room.threshold(each) for each in EVERY] == [18, 19, 10, 4, 20]


def test_an_order_can_be_inverted_and_switched_off():
    inverted = Room(replace(FIXED, tier_order=("C", "B", "A2", "A1")), EVERY, clock=Clock())
    assert [fill(inverted, each) for each in (PAYMENT, BALANCE, BILLS, CHECKIN)] == [4, 6, 8, 2]
    assert fill(Room(without("order"), EVERY, clock=Clock()), CHECKIN) == 20


def test_a_confirmation_is_let_in_when_new_money_is_not():
    room = Room(FIXED, EVERY, clock=Clock())
    assert fill(room, PAYMENT) == 19
    let_in(room, CONFIRM)
    assert reason(room, CONFIRM) == "overload"
    off = Room(without("confirm-first"), EVERY, clock=Clock())
    assert fill(off, PAYMENT) == 20
    assert reason(off, CONFIRM) == "overload"


@given(st.lists(st.tuples(st.sampled_from(EVERY), st.booleans(), st.floats(0, 1)), max_size=200))
def test_never_more_than_the_limit_and_never_a_lesser_tier_where_a_greater_is_refused(steps):
    """Whatever comes, and however the limit moves meanwhile."""
    clock = Clock()
    room = Room(replace(DEPLOYED, limit=30), EVERY, clock=clock)
    rank = [CONFIRM, PAYMENT, BALANCE, BILLS, CHECKIN]
    inside = []
    for operation, leaves, queue_s in steps:
        clock.now_s += 0.05
        if leaves and inside:
            room.leave(inside.pop())
            room.answered(operation, queue_s + 0.01, queue_s, good=True)
        thresholds = [room.threshold(each) for each in rank]
        assert thresholds == sorted(thresholds, reverse=True)
        with contextlib.suppress(Shed):
            let_in(room, operation, len(inside))
            inside.append(len(inside))
            assert room.inflight <= room.limit
        assert room.tightest().over <= 0
        assert 6 <= room.limit <= 30


def test_one_customer_holds_its_share_when_others_want_in_and_anything_when_nobody_does():
    clock = Clock()
    room = Room(FIXED, EVERY, clock=clock)
    assert fill(room, BALANCE, customer=7) == 18
    # Somebody else is turned away for it ...
    assert reason(room, BALANCE, 8) == "overload"
    room.leave(7)
    # ... and comes in before the one that has its share.
    assert reason(room, BALANCE, 7) == "customer"
    let_in(room, BALANCE, 8)
    for _ in range(13):
        room.leave(7)
    let_in(room, BALANCE, 7)
    # Nobody else for a while: it may have everything again.
    clock.now_s += 60
    assert fill(room, BALANCE, customer=7) == 12


def test_without_fairness_one_customer_keeps_everybody_out():
    room = Room(without("fairness"), EVERY, clock=Clock())
    assert fill(room, BALANCE, customer=7) == 18
    assert reason(room, BALANCE, 8) == "overload"
    room.leave(7)
    let_in(room, BALANCE, 7)
    assert reason(room, BALANCE, 8) == "overload"


def test_a_few_requests_of_a_phone_are_nobodys_business():
    room = Room(replace(FIXED, limit=4), EVERY, clock=Clock())
    let_in(room, PAYMENT, 1)
    let_in(room, PAYMENT, 7)
    let_in(room, PAYMENT, 7)
    assert reason(room, PAYMENT, 8) == "overload"
    room.leave(1)
    let_in(room, PAYMENT, 7)


def test_whoever_would_wait_too_long_is_refused_the_least_important_first():
    room = Room(FIXED, EVERY, clock=Clock())
    wait(room, 0.1)
    refused = {each.name: 0 for each in EVERY}
    for each in (PAYMENT, BALANCE, BILLS, CHECKIN):
        for _ in range(10):
            try:
                room.enter(each, None, 2.0)
            except Shed as shed:
                refused[each.name] += shed.fields["reason"] == "queue"
    # 150 ms for the first tier, and its share of that for the others: 75 ms and 30 ms.
    assert refused == {"payment": 0, "balance": 0, "bills": 3, "checkin": 10, "confirm": 0}
    wait(room, 0.4)
    assert reason(room, PAYMENT) == "queue"
    room.enter(CONFIRM, None, 2.0)


def test_what_is_believed_of_waiting_fades_when_nobody_answers():
    clock = Clock()
    room = Room(FIXED, EVERY, clock=clock)
    wait(room, 1.0)
    assert reason(room, PAYMENT) == "queue"
    clock.now_s += 2.0
    room.enter(PAYMENT, None, 2.0)


def test_whoever_has_no_time_to_wait_is_told_at_once():
    room = Room(FIXED, EVERY, clock=Clock())
    wait(room, 0.1)
    assert reason(room, BALANCE, remaining_s=0.12) == "deadline"
    room.enter(BALANCE, None, 0.14)
    Room(without("deadline"), EVERY, clock=Clock()).enter(BALANCE, None, -1.0)


def test_waiting_is_measured_without_the_dependency_saying_it():
    room = Room(FIXED, EVERY, clock=Clock())
    for _ in range(5):
        room.answered(BALANCE, 0.01, None, good=True)
        room.answered(BILLS, 0.30, None, good=True)
    assert room.waiting_s() == 0.0, "slow work is not waiting"
    for _ in range(50):
        room.answered(BALANCE, 0.41, None, good=True)
    assert room.waiting_s() == pytest.approx(0.4, rel=0.2)
    before_s = room.waiting_s()
    for _ in range(50):
        room.answered(BALANCE, 0.001, None, good=False)
    assert room.waiting_s() == before_s, "a quick failure says nothing"


def test_a_bucket_holds_its_rate_and_half_a_second_of_burst():
    clock = Clock()
    bucket = TokenBucket(8, clock=clock)
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0, 0.125]
    clock.now_s += 0.125
    assert [bucket.take(), bucket.take()] == [0, 0.125]
    clock.now_s += 3600
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0, 0.125]


@given(rate=st.floats(0.5, 500), gaps=st.lists(st.floats(0, 2), min_size=1, max_size=60))
def test_no_window_lets_in_more_than_rate_and_burst(rate, gaps):
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    taken_at_s = []
    for gap in gaps:
        clock.now_s += gap
        if bucket.take() == 0.0:
            taken_at_s.append(clock.now_s)
    for first, start_s in enumerate(taken_at_s):
        for last in range(first, len(taken_at_s)):
            allowed = max(1.0, rate * 0.5) + (taken_at_s[last] - start_s) * rate
            assert last - first + 1 <= allowed + 1e-6


def control(rules, *, counts=None):
    serves = {"ledger-a": (BALANCE, PAYMENT), "ledger-b": (BALANCE, PAYMENT), "campus": (CHECKIN,)}
    return FlowControl(rules, serves, counts or Counts(), clock=Clock())


def admit(flow, operation, dependency, stack, customer=None):
    stack.enter_context(flow.admit(operation, dependency, customer, flow.deadline("2000")))


def test_each_operation_has_a_bucket_and_overload_costs_no_token():
    counts = Counts()
    flow = control(replace(FIXED, limit=3, rates_per_s={"checkin": 4.0}), counts=counts)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            with (
                flow.admit(CHECKIN, "campus", None, flow.deadline(None)),
                pytest.raises(Shed, match="overload"),
            ):
                flow.admit(CHECKIN, "campus", None, flow.deadline(None))
        with pytest.raises(Shed, match="rate") as shed:
            flow.admit(CHECKIN, "campus", None, flow.deadline(None))
        assert (shed.value.status, shed.value.retry_after_s, shed.value.fields["tier"]) == (429, 1, "C")
        admit(flow, BALANCE, "ledger-a", stack)
    assert counts.reasons == {"admitted": 3, "overload": 2, "rate": 1}
    assert flow.inflight() == 0


def test_a_dependency_has_room_of_its_own_unless_nothing_keeps_them_apart():
    with contextlib.ExitStack() as stack:
        apart = control(FIXED)
        for _ in range(19):
            admit(apart, PAYMENT, "ledger-a", stack)
        admit(apart, PAYMENT, "ledger-b", stack)
        together = control(without("bulkhead"))
        for _ in range(19):
            admit(together, PAYMENT, "ledger-a", stack)
        with pytest.raises(Shed, match="overload"):
            admit(together, PAYMENT, "ledger-b", stack)
        assert (apart.tightest().over, together.tightest().over) == (-1, -1)


def test_what_has_expired_is_refused_before_anything_else():
    with pytest.raises(Expired, match="expired"):
        control(FIXED).deadline("0")
    assert control(without("deadline")).deadline("0").remaining_s() > 20


def test_with_everything_off_everybody_comes_in():
    flow = control(replace(FIXED, off=frozenset(MECHANISMS), limit=10**6, other_rate_per_s=1.0))
    with contextlib.ExitStack() as stack:
        for number in range(300):
            admit(flow, CHECKIN if number % 2 else PAYMENT, "campus" if number % 2 else "ledger-a", stack, 1)
        assert flow.inflight() == 300
