"""Phones follow the name they resolve, each as its own copy ages; an edge that does not answer is left at once."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from tests.forking import Nursery

from stormdrill import wait
from stormdrill.errors import TargetError
from stormdrill.estate import Resolver
from stormdrill.records.layout import Flag

from .conftest import Started, Stub
from .test_generator import PHONES, check_whole, due_between

Start = Callable[..., Started]


@pytest.fixture
def other(banks: Nursery):
    bank = Stub(banks)
    yield bank
    bank.stop()


def test_phones_follow_the_name_when_their_copies_are_old(start: Start, stub: Stub, other: Stub) -> None:
    stub.name("edge-0", "edge-1", ttl_s=2)
    started = start(PHONES, [stub.url, other.url], resolver=Resolver(f"{stub.url}/_name"))
    wait.pause(1.5)
    stub.name("edge-0", ttl_s=2)
    changed_ns = time.monotonic_ns()
    wait.pause(5)
    started.load.stop()
    check_whole(started)
    records = started.requests()
    before = records[records["sent_ns"] > 0]
    before = before[before["sent_ns"] < changed_ns]
    assert set(before["site"]) == {0, 1}
    fresh = due_between(records, changed_ns, changed_ns + 700_000_000)
    assert 1 in fresh["site"]  # who asked a moment ago goes on to use what was answered
    # Heard after a second at most, kept for two.
    after = due_between(records, changed_ns + 3_500_000_000, changed_ns + 5_000_000_000)
    assert len(after) > 50
    assert set(after[after["sent_ns"] > 0]["site"]) == {0}


def test_an_edge_that_does_not_answer_is_left_at_once(start: Start, stub: Stub, other: Stub) -> None:
    started = start(PHONES, [stub.url, other.url])
    wait.pause(1)
    other.behave("stall")
    silent_ns = time.monotonic_ns()
    wait.pause(5)
    started.load.stop()
    check_whole(started)
    # Every probe has met the silence once: a second of waiting, and a phone that was in it.
    late = due_between(started.requests(), silent_ns + 3_500_000_000, silent_ns + 4_500_000_000)
    probes = late[(late["flags"] & Flag.PROBE) > 0]
    assert len(probes) > 30
    assert np.all(probes["site"] == 0)


def test_a_name_that_does_not_answer_is_one_message(start: Start, stub: Stub) -> None:
    with pytest.raises(TargetError, match=r"the name at .*/_booked/none answers 404"):
        start(PHONES, [stub.url], resolver=Resolver(f"{stub.url}/_booked/none"))


def test_a_name_that_leads_elsewhere_is_one_message(start: Start, stub: Stub) -> None:
    stub.name("edge-7")
    with pytest.raises(TargetError, match="edge-7: no edge of the topology"):
        start(PHONES, [stub.url], resolver=Resolver(f"{stub.url}/_name"))
