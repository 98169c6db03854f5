"""Packets on links: delay, order, change under way, bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from stormlab.linkshape import LinkShape
from stormlab.net import delayline
from stormlab.net.delayline import DelayLine
from stormlab.net.shaper import Shaper

A, B = (0, 1), (1, 0)


def taken(line, now_ns):
    return [packet for _, packet in line.due(now_ns)]


def test_a_packet_leaves_after_its_delay_and_not_before():
    line = DelayLine({A: 100, B: 10})
    line.push(A, b"a", 1000)
    line.push(B, b"b", 1000)
    assert line.next_due_ns() == 1010
    assert taken(line, 1009) == []
    assert list(line.due(1010)) == [(0, b"b")]
    assert list(line.due(2000)) == [(1, b"a")]
    assert line.next_due_ns() is None


def test_a_shortened_link_does_not_overtake_itself():
    line = DelayLine({A: 100, B: 100})
    line.push(A, b"1", 0)
    line.set_delay(A, 10)
    line.push(A, b"2", 1)
    line.push(B, b"other", 1)
    assert taken(line, 50) == []
    assert taken(line, 101) == [b"1", b"2", b"other"]
    line.push(A, b"3", 200)
    assert line.next_due_ns() == 210


def test_a_full_line_drops_and_counts(monkeypatch):
    monkeypatch.setattr(delayline, "MAX_PACKETS", 2)
    line = DelayLine({A: 1})
    for i in range(5):
        line.push(A, bytes([i]), 0)
    assert line.dropped == 3
    assert taken(line, 10) == [b"\x00", b"\x01"]


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.integers(0, 50), st.one_of(st.none(), st.integers(0, 1000))),
        max_size=60,
    )
)
def test_no_link_ever_reorders_whatever_its_delay_does(steps):
    line, now, sent, seen = DelayLine({A: 500, B: 500}), 0, {A: [], B: []}, {A: [], B: []}
    for number, (link, gap, delay) in enumerate(steps):
        now += gap
        if delay is not None:
            line.set_delay(link, delay)
        line.push(link, number.to_bytes(2), now)
        sent[link].append(number)
        for to, packet in line.due(now):
            seen[A if to == 1 else B].append(int.from_bytes(packet))
    for to, packet in line.due(1 << 60):
        seen[A if to == 1 else B].append(int.from_bytes(packet))
    assert seen == sent


def test_a_cut_loses_what_is_under_way_on_its_link_and_nothing_else():
    line = DelayLine({(0, 1): 1000, (1, 0): 1000})
    line.push((0, 1), b"lost", 0)
    line.push((1, 0), b"kept", 0)
    line.set_up((0, 1), up=False)
    line.push((0, 1), b"refused", 10)
    assert (list(line.due(2000)), line.dropped) == ([(0, b"kept")], 2)
    line.set_up((0, 1), up=True)
    line.push((0, 1), b"again", 2000)
    assert list(line.due(3000)) == [(1, b"again")]


SHAPES = st.one_of(
    st.none(),
    st.builds(
        LinkShape,
        rtt_ms=st.just(10.0),
        jitter_ms=st.sampled_from([0.0, 0.002, 3.0]),
        bandwidth_mbit_s=st.sampled_from([None, 1.0, 100.0]),
    ),
)


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.integers(0, 5_000_000), st.one_of(st.just("same"), SHAPES)),
        max_size=60,
    )
)
def test_nor_does_a_link_with_jitter_and_a_queue_whatever_it_is_changed_into(steps):
    line, now, seen = DelayLine({A: 5_000_000, B: 5_000_000}), 0, {A: [], B: []}
    for number, (link, gap, shape) in enumerate(steps):
        now += gap
        if shape != "same":
            line.set_shaper(link, None if shape is None else Shaper(shape, "s"))
        line.push(link, bytes(10) + number.to_bytes(2), now)
    for to, packet in line.due(1 << 60):
        seen[A if to == 1 else B].append(int.from_bytes(packet[10:]))
    assert seen[A] == sorted(seen[A])
    assert seen[B] == sorted(seen[B])
    assert len(seen[A]) + len(seen[B]) == len(steps)


def test_a_shaped_link_is_cut_and_mended_like_any_other():
    line = DelayLine({A: 1000, B: 1000})
    line.set_shaper(A, Shaper(LinkShape(1.0, bandwidth_mbit_s=8), "s"))  # a microsecond for a byte
    line.push(A, bytes(10 + 100), 0)
    line.push(A, bytes(10 + 100), 0)
    assert line.next_due_ns() == 101_000
    line.set_up(A, up=False)
    line.push(A, bytes(10 + 100), 10)
    assert (len(line), line.dropped) == (0, 3)
    line.set_up(A, up=True)
    line.push(A, bytes(10 + 100), 20)
    assert line.next_due_ns() == 101_020, "the queue was emptied by the cut"
    line.set_shaper(A, None)
    line.push(A, b"", 200_000)
    assert [due for due, *_ in line._heap] == [101_020, 201_000]


def test_a_link_that_is_shaped_while_it_is_cut_stays_cut():
    line = DelayLine({A: 1000})
    line.set_up(A, up=False)
    line.set_shaper(A, Shaper(LinkShape(1.0, loss=0.5), "s"))
    line.push(A, bytes(20), 0)
    line.set_shaper(A, None)
    line.push(A, bytes(20), 0)
    assert (len(line), line.dropped) == (0, 2)
