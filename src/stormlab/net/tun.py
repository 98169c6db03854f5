"""The kernel's TUN devices: attaching to one inside a namespace, with the kernel's large-packet offload."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from stormlab.errors import LabError
from stormlab.net import netns

_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_CSUM, _TSO4 = 0x01, 0x02

HEADER_BYTES = 10
"""The virtio header before each packet; passing it on keeps checksums and segmentation with the kernel."""
READ_BYTES = 65536 + HEADER_BYTES


def attach(namespace: str, name: str) -> int:
    """A non-blocking descriptor of the TUN device `name` in `namespace`. Raises LabError.

    Segments arrive up to 64 KB in one read although the device's MTU stays what it is: bulk traffic
    (a base backup) then costs one wake-up where it would cost forty.
    """

    def opened() -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            request = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR)
            fcntl.ioctl(fd, _TUNSETIFF, request)
            fcntl.ioctl(fd, _TUNSETOFFLOAD, _CSUM | _TSO4)
        except OSError:
            os.close(fd)
            raise
        return fd

    try:
        return netns.within(namespace, opened)
    except OSError as error:
        hint = " (another relay running?)" if error.errno == errno.EBUSY else ""
        raise LabError(f"TUN device {name} in {namespace}: {error.strerror}{hint}") from error
