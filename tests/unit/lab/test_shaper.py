"""Queue, losses and jitter of one way of a link, with answers known beforehand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormlab.linkshape import LinkShape
from stormlab.net.shaper import Jitter, Shaper

MS = 1_000_000


def packet(size):
    """A frame without offload that has `size` bytes on the wire."""
    return bytes(10) + bytes(size)


def shaper(seed="s", **shape):
    return Shaper(LinkShape(20.0, **shape), seed)


def test_packets_are_put_on_the_wire_one_after_the_other():
    line = shaper(bandwidth_mbit_s=12)  # 1500 bytes take 1 ms
    assert [line.enter(packet(1500), 0)[0] for _ in range(3)] == [1 * MS, 2 * MS, 3 * MS]
    assert line.queue_ns(0) == 3 * MS
    assert line.enter(packet(750), 2_800_000)[0] == 3_500_000
    assert line.enter(packet(1500), 10 * MS)[0] == 11 * MS, "an idle link saves nothing up"


def test_a_queue_that_holds_100_ms_refuses_more():
    line = shaper(bandwidth_mbit_s=12)
    left = [line.enter(packet(1500), 0) for _ in range(150)]
    assert [len(frames) for _, frames in left] == [1] * 101 + [0] * 49
    assert line.overflowed == 49
    assert line.queue_ns(0) == 101 * MS
    assert line.enter(packet(1500), 1 * MS) == (102 * MS, (packet(1500),)), (
        "there is room as soon as one is gone"
    )


def test_a_slow_link_still_has_room_for_a_large_frame():
    line = shaper(bandwidth_mbit_s=0.1)
    taken = sum(len(line.enter(packet(1500), 0)[1]) for _ in range(100))
    assert 65_536 <= taken * 1500 <= 65_536 + 2 * 1500


def test_a_cut_empties_the_queue():
    line = shaper(bandwidth_mbit_s=12)
    for _ in range(50):
        line.enter(packet(1500), 0)
    line.empty()
    assert line.enter(packet(1500), 0)[0] == 1 * MS


@given(
    st.floats(0.05, 1000),
    st.lists(st.tuples(st.integers(0, 5 * MS), st.integers(20, 1500)), min_size=1, max_size=80),
)
def test_no_more_passes_than_the_bandwidth_and_what_waits_never_idles(mbit_s, arrivals):
    line, now, busy = shaper(bandwidth_mbit_s=mbit_s), 0, 0
    for gap, size in arrivals:
        now += gap
        before = line.overflowed
        left, frames = line.enter(packet(size), now)
        if line.overflowed == before:
            busy = max(now, busy) + int(size * 8000 / mbit_s)
            assert (left, len(frames)) == (busy, 1)
        else:
            assert frames == ()
            assert busy - now > 100 * MS


@pytest.mark.parametrize("share", [0.001, 0.01, 0.2, 0.9])
def test_the_share_that_is_lost_is_within_its_binomial_bounds(share):
    line, sent = shaper(loss=share), 40_000
    kept = sum(len(line.enter(packet(40), at)[1]) for at in range(sent))
    deviation = (sent * share * (1 - share)) ** 0.5
    assert abs(sent - kept - sent * share) < 4 * deviation
    assert line.lost == sent - kept


def test_nothing_and_everything_are_lost_exactly():
    assert all(shaper(loss=1.0).enter(packet(40), at)[1] == () for at in range(100))
    line = shaper(jitter_ms=1)
    assert all(len(line.enter(packet(40), at)[1]) == 1 for at in range(100))


def losses(seed, share=0.3, sent=200):
    line = shaper(seed, loss=share)
    return [not line.enter(packet(40), at)[1] for at in range(sent)]


def test_a_seed_loses_the_same_packets_again_and_another_others():
    assert losses("one") == losses("one")
    assert losses("one") != losses("two")


def test_losses_come_alone_as_often_as_chance_has_it():
    """A half is lost: after a loss the next is lost as often as after none."""
    lost = losses("s", 0.5, 40_000)
    after = [now for before, now in pairwise(lost) if before]
    assert abs(sum(after) - len(after) / 2) < 4 * (len(after) / 4) ** 0.5


@given(st.integers(1, 40 * MS), st.lists(st.integers(0, 100 * MS), max_size=200), st.text())
def test_jitter_stays_within_its_width_and_reorders_nothing(width, gaps, seed):
    jitter, now, last = Jitter(width, seed), 0, -1 << 60
    for gap in gaps:
        now += gap
        by = jitter.at(now)
        assert abs(by) <= width / 2
        assert now + by >= last
        last = now + by


def test_jitter_is_there_and_averages_to_nothing():
    width = 10 * MS
    jitter = Jitter(width, "s")
    seen = [jitter.at(at) for at in range(0, 100_000 * MS, 5 * MS)]
    assert abs(sum(seen) / len(seen)) < 0.02 * width
    assert max(seen) > 0.45 * width
    assert min(seen) < -0.45 * width


def test_a_dense_flow_keeps_its_order_and_is_delayed_no_more_than_a_sparse_one():
    """A draw for each packet would reorder it or, kept in order, delay it by nearly the whole width."""
    jitter, moments = Jitter(10 * MS, "s"), range(0, 20_000 * MS, MS // 5)
    seen = [jitter.at(at) for at in moments]
    assert abs(sum(seen) / len(seen)) < 0.5 * MS
    left = [at + by for at, by in zip(moments, seen, strict=True)]
    assert left == sorted(left)


def test_jitter_counts_from_when_a_packet_leaves_the_queue():
    line, plain = shaper(jitter_ms=4, bandwidth_mbit_s=12), Jitter(4 * MS, "s")
    for _ in range(30):
        left, _ = line.enter(packet(1500), 0)
    for at in range(1, 31):
        by = plain.at(at * MS)
    assert left == 30 * MS + by
