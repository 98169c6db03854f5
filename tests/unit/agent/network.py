"""A node with a pod and a far away place, as network namespaces that end with the test process.

pod 10.91.1.2 -- 10.91.1.1 node 10.91.9.1 -- 10.91.9.2 far
"""

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager

POD, NODE_POD, NODE, FAR = "10.91.1.2", "10.91.1.1", "10.91.9.1", "10.91.9.2"
INSIDE = ["10.91.1.0/24", f"{NODE}/32"]
WAIT_S = 0.2


class Place:
    """One network namespace, held by a process that ends with our end of its stdin."""

    def __init__(self, *setup):
        script = "\n".join(["ip link set lo up", *setup, "echo ready", "exec cat"])
        argv = ["unshare", "-n", "sh", "-ec", script]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def enter(self):
        """What to put before a command to run it here."""
        return [shutil.which("nsenter"), "-t", str(self.pid), "-n"]

    def run(self, *command):
        return subprocess.run([*self.enter(), *command], check=True, capture_output=True, text=True).stdout

    def socket(self, kind=socket.SOCK_STREAM):
        """A socket of this namespace: it stays there wherever it is used."""
        made = []

        def make():
            fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            assert ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000) == 0
            os.close(fd)
            made.append(socket.socket(socket.AF_INET, kind))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        made[0].settimeout(WAIT_S)
        return made[0]

    def listen(self, port=7000):
        listener = self.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen()
        return listener

    def close(self):
        self.process.communicate()


@contextmanager
def network():
    forward = "sysctl -qw net.ipv4.ip_forward=1"
    node, pod, far = Place(forward), Place(), Place()
    try:
        for place, ours, theirs in ((pod, NODE_POD, POD), (far, NODE, FAR)):
            name = "pod" if place is pod else "far"
            node.run(
                "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(place.pid)
            )
            node.run("ip", "address", "add", f"{ours}/24", "dev", name)
            node.run("ip", "link", "set", name, "up")
            place.run("ip", "address", "add", f"{theirs}/24", "dev", "eth0")
            place.run("ip", "link", "set", "eth0", "up")
            place.run("ip", "route", "add", "default", "via", ours)
        yield node, pod, far
    finally:
        for place in (node, pod, far):
            place.close()


class Flow:
    """An established TCP connection."""

    def __init__(self, source, listener, address, port=7000):
        self.client = source.socket()
        self.client.connect((address, port))
        self.server, _ = listener.accept()
        self.server.settimeout(WAIT_S)
        assert self.works()

    def works(self, wait_s=WAIT_S):
        """Whether bytes still pass, both ways."""
        for source, sink in ((self.client, self.server), (self.server, self.client)):
            sink.settimeout(wait_s)
            try:
                source.send(b"x")
                sink.recv(1000)
            except TimeoutError:
                return False
        return True

    def close(self):
        self.client.close()
        self.server.close()


def connects(source, address, port=7000):
    """Whether a new connection comes about."""
    with source.socket() as client:
        try:
            client.connect((address, port))
        except TimeoutError:
            return False
        return True


def datagram(source, sink, address, port=7001):
    """Whether one arrives."""
    with sink.socket(socket.SOCK_DGRAM) as receiver, source.socket(socket.SOCK_DGRAM) as sender:
        receiver.bind(("0.0.0.0", port))
        try:
            sender.sendto(b"x", (address, port))
            return receiver.recv(10) == b"x"
        except (TimeoutError, PermissionError):  # what the node itself sends is refused, not lost
            return False
