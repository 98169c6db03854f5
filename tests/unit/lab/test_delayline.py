"""Packets on links: delay, order, change under way, bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from stormlab.net import delayline
from stormlab.net.delayline import DelayLine

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
