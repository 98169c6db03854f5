"""Frames of the TUN devices as what they are on a wire: one packet, or a TCP segment that stands for many.

A frame is a virtio header and an IPv4 packet. Bulk TCP comes up to 64 KB at a time (see `tun`); a wire carries it as
packets of `gso_size` bytes of data each, and can lose one of them without the others.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator

from stormlab.net.checksum import ones_sum
from stormlab.net.tun import HEADER_BYTES

_GSO_TCP4, _GSO_NONE, _GSO_ECN = 1, 0, 0x80
_IP = HEADER_BYTES
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80


def on_wire(frame: bytes) -> tuple[int, int]:
    """How many packets a wire would carry, and how many bytes of IP they have together."""
    if frame[1] & ~_GSO_ECN != _GSO_TCP4:
        return 1, len(frame) - _IP
    headers, size = _headers(frame), _gso_size(frame)
    count = max(1, -(-(len(frame) - _IP - headers) // size))
    return count, len(frame) - _IP + (count - 1) * headers


def without(frame: bytes, lost: Collection[int]) -> Iterator[bytes]:
    """The frames that are left when these of its packets, counted from 0, are lost."""
    count, _ = on_wire(frame)
    first = 0
    for index in range(count + 1):
        if index == count or index in lost:
            if index > first:
                yield frame if index - first == count else _part(frame, first, index, count)
            first = index + 1


def _headers(frame: bytes) -> int:
    """Bytes of the IP and TCP headers. The virtio header only hints at them."""
    ip = (frame[_IP] & 15) * 4
    return ip + (frame[_IP + ip + 12] >> 4) * 4


def _gso_size(frame: bytes) -> int:
    return int(struct.unpack_from("=H", frame, 4)[0]) or 1


def _part(frame: bytes, first: int, end: int, count: int) -> bytes:
    """Packets `first` to `end` (not included) as a frame of their own, as the kernel would have cut them."""
    headers, size, ip = _headers(frame), _gso_size(frame), (frame[_IP] & 15) * 4
    data = frame[_IP + headers + first * size : _IP + headers + end * size]
    head = bytearray(frame[: _IP + headers])
    if end - first == 1:
        head[1] = _GSO_NONE
        struct.pack_into("=H", head, 4, 0)
    packet = memoryview(head)[_IP:]
    struct.pack_into("!H", packet, 2, headers + len(data))
    struct.pack_into("!H", packet, 4, (struct.unpack_from("!H", packet, 4)[0] + first) & 0xFFFF)
    struct.pack_into("!H", packet, 10, 0)
    struct.pack_into("!H", packet, 10, ~ones_sum(packet[:ip]) & 0xFFFF)
    sequence = struct.unpack_from("!I", packet, ip + 4)[0]
    struct.pack_into("!I", packet, ip + 4, (sequence + first * size) & 0xFFFFFFFF)
    if end < count:
        packet[ip + 13] &= ~(_FIN | _PSH) & 0xFF
    if first > 0:
        packet[ip + 13] &= ~_CWR & 0xFF
    # The kernel completes the checksum; what it starts from is the sum of the pseudo header.
    length = headers - ip + len(data)
    pseudo = bytes(packet[12:20]) + struct.pack("!HH", packet[9], length)
    struct.pack_into("!H", packet, ip + 16, ones_sum(pseudo))
    return bytes(head) + data
