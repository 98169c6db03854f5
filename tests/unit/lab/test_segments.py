"""Large TCP segments as the packets they stand for, and what is left of them when some are lost."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from stormlab.net import segments

HEADERS = 20 + 32
SOURCE, TARGET = bytes([10, 77, 1, 5]), bytes([10, 77, 2, 9])


def ones_sum(data):
    total = 0
    for index in range(0, len(data), 2):
        total += int.from_bytes(data[index : index + 2].ljust(2, b"\0"))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def frame(data, size, *, sequence=0xFFFFFF00, flags=0x99, identity=65_535):
    """A segment as the kernel gives it to a TUN device: its checksum is only begun."""
    large = len(data) > size
    virtio = struct.pack("=BBHHHH", 1, 1 if large else 0, 66, size if large else 0, 20, 16)
    pseudo = ones_sum(SOURCE + TARGET + struct.pack("!HH", 6, 32 + len(data)))
    tcp = struct.pack("!HHIIBBHHH", 40_000, 80, sequence, 7, 0x80, flags, 500, pseudo, 0) + bytes(12)
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, HEADERS + len(data), identity, 0x4000, 64, 6, 0, SOURCE, TARGET
    )
    ip = ip[:10] + struct.pack("!H", ~ones_sum(ip) & 0xFFFF) + ip[12:]
    return virtio + ip + tcp + data


def read(made):
    """What a receiver makes of a frame: place, data, flags, identity and packets; its sums must be right."""
    kind, size = made[1], struct.unpack_from("=H", made, 4)[0]
    packet = made[10:]
    assert ones_sum(packet[:20]) == 0xFFFF
    assert struct.unpack_from("!H", packet, 2)[0] == len(packet)
    begun = struct.unpack_from("!H", packet, 36)[0]
    assert begun == ones_sum(SOURCE + TARGET + struct.pack("!HH", 6, len(packet) - 20))
    sequence, flags = struct.unpack_from("!I", packet, 24)[0], packet[33]
    data = packet[HEADERS:]
    if kind == 0:
        return sequence, data, flags, struct.unpack_from("!H", packet, 4)[0], 1
    assert len(data) > size
    return sequence, data, flags, struct.unpack_from("!H", packet, 4)[0], -(-len(data) // size)


def test_what_a_wire_carries():
    assert segments.on_wire(frame(b"x" * 100, 1448)) == (1, HEADERS + 100)
    assert segments.on_wire(frame(b"x" * 1448, 1448)) == (1, HEADERS + 1448)
    assert segments.on_wire(frame(b"x" * 1449, 1448)) == (2, 2 * HEADERS + 1449)
    assert segments.on_wire(frame(b"x" * 65_000, 1448)) == (45, 45 * HEADERS + 65_000)
    assert segments.on_wire(bytes(10) + b"\x45" + bytes(27)) == (1, 28), "a UDP packet without data"


def test_the_middle_one_of_three_is_lost():
    data = b"a" * 1000 + b"b" * 1000 + b"c" * 10
    first, last = segments.without(frame(data, 1000, sequence=5, identity=8), {1})
    assert read(first) == (5, b"a" * 1000, 0x90, 8, 1), "neither the end of the stream nor of what is pushed"
    assert read(last) == (2005, b"c" * 10, 0x19, 10, 1), "the window was reduced once, and told in the first"


def test_a_run_stays_one_frame():
    data = bytes(range(250)) * 20
    kept = list(segments.without(frame(data, 1000), {0}))
    assert [read(one)[4] for one in kept] == [4]
    assert read(kept[0])[1] == data[1000:]


def test_a_single_packet_is_lost_as_a_whole():
    assert list(segments.without(frame(b"x" * 10, 1448), {0})) == []
    assert list(segments.without(frame(b"x" * 10, 1448), set())) == [frame(b"x" * 10, 1448)]


@given(st.binary(min_size=1, max_size=400), st.integers(1, 50), st.sets(st.integers(0, 400)))
def test_what_is_left_is_everything_but_the_lost(data, size, lost):
    sequence, count = 0xFFFFFFF0, -(-len(data) // size)
    wanted = {
        (sequence + at * size) & 0xFFFFFFFF: data[at * size : (at + 1) * size]
        for at in range(count)
        if at not in lost
    }
    found = {}
    for made in segments.without(frame(data, size, sequence=sequence), lost):
        start, piece, *_ = read(made)
        for at in range(0, len(piece), size):
            found[(start + at) & 0xFFFFFFFF] = piece[at : at + size]
    assert found == wanted
