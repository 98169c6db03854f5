"""The Internet checksum (RFC 1071)."""

from __future__ import annotations

import struct


def ones_sum(data: bytes | memoryview) -> int:
    """The one's complement sum of 16-bit words, not complemented; `data` has an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
