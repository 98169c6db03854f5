"""A lab on a machine that others use: while it is up only what it declares is there, after `down` nothing."""

import contextlib
import socket
import subprocess
import sys

import pytest
from tests.lab.picture import changed, listening, picture
from tests.lab.tiny.lab import PAGE, STATES, TinyLab

from stormlab import cgroup

pytestmark = pytest.mark.lab
NAME = "bystander"
SETTINGS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv6.conf.all.disable_ipv6")
PORTS = (26490, 28490, 28491, 28453, 29490)


@pytest.fixture
def tiny():
    lab = TinyLab()
    lab.down()
    yield lab
    lab.down()
    with contextlib.suppress(OSError):  # another lab is still there
        STATES.rmdir()


def run(*argv, check=True, stdin=None):
    return subprocess.run(argv, capture_output=True, text=True, check=check, input=stdin).stdout


class Bystander:
    """Somebody else's work on the machine: a namespace with links and rules, a mount, a group, a service, a flow."""

    def __init__(self, directory):
        self.mount = directory / "mount"
        self.group = cgroup.v2_root() / NAME
        self.mount.mkdir()
        run("ip", "netns", "add", NAME)
        run("ip", "-n", NAME, "link", "add", "wan0", "type", "veth", "peer", "name", "pod0")
        run("ip", "-n", NAME, "address", "add", "10.77.1.1/16", "dev", "wan0")
        run("ip", "netns", "exec", NAME, "nft", "add", "table", "ip", "stormlab")
        run("mount", "-t", "tmpfs", NAME, str(self.mount))
        (self.mount / "file").write_text("kept")
        self.group.mkdir(exist_ok=True)
        self.process = subprocess.Popen([sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        (self.group / "cgroup.procs").write_text(str(self.process.pid))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.client = socket.create_connection(self.listener.getsockname(), timeout=5)
        self.served = self.listener.accept()[0]

    def state(self):
        """All of it, as seen from outside and inside."""
        self.client.sendall(b"x")
        return {
            "links": run("ip", "-n", NAME, "-o", "link"),
            "addresses": run("ip", "-n", NAME, "-o", "address"),
            "rules": run("ip", "netns", "exec", NAME, "nft", "list", "ruleset"),
            "settings": run("ip", "netns", "exec", NAME, "sysctl", *SETTINGS),
            "file": (self.mount / "file").read_text(),
            "group": (self.group / "cgroup.procs").read_text(),
            "alive": self.process.poll() is None,
            "flow": self.served.recv(1),
        }  # fmt: skip

    def close(self):
        for end in (self.client, self.served, self.listener):
            end.close()
        self.process.kill()
        self.process.wait()
        self.group.rmdir()
        run("umount", str(self.mount))
        run("ip", "netns", "delete", NAME)


@pytest.fixture
def bystander(tmp_path):
    run("ip", "netns", "delete", NAME, check=False)  # of a test run that was killed
    made = Bystander(tmp_path)
    yield made
    made.close()


def declared(lab):
    """What the lab makes outside its own namespaces, by its documentation."""
    hierarchies = [cgroup.v2_root(), cgroup.v1_cpu_root(), cgroup.v1_memory_root()]
    return {
        *(f"namespace +sl-{lab.name}-{site}" for site in ("outside", "one-a")),
        *(f"group +{root / f'stormlab-{lab.name}'}" for root in hierarchies if root),
        f"group +{cgroup.v2_root() / f'stormlab-{lab.name}.daemons'}",
        f"mount +stormlab {lab.state}/volumes tmpfs",
    }


def listens(lab):
    shims, contained = lab.inside()
    return listening([process.pid for process in (*lab.daemons().values(), *shims, *contained)])


def test_only_what_the_lab_declares_differs_while_it_is_up_and_nothing_after_it(tiny, bystander):
    run("ip", "netns", "exec", NAME, "true")
    before, others = picture(tiny.name), bystander.state()
    tiny.up()
    while_up = changed(before, picture(tiny.name))
    pods = [line for line in while_up if line.startswith(f"namespace +sl-{tiny.name}-p-")]
    assert len(pods) == 2
    assert sorted(set(while_up) - set(pods)) == sorted(declared(tiny))
    assert listens(tiny) == {f"tcp 0100007F:{port:04X}" for port in PORTS}
    assert bystander.state() == others
    assert tiny.answer() == PAGE
    tiny.down()
    assert changed(before, picture(tiny.name)) == []
    assert bystander.state() == others


def test_a_lab_whose_every_process_was_killed_is_removed_without_touching_others(tiny, bystander):
    before, others = picture(tiny.name), bystander.state()
    tiny.up()
    shims, _ = tiny.inside()
    for process in (*shims, *tiny.daemons().values()):
        process.signal(9)
    tiny.down()
    assert changed(before, picture(tiny.name)) == []
    assert bystander.state() == others


def test_a_directory_of_somebody_else_is_left_alone(tiny):
    """A state directory that holds no lab is not the lab's to remove."""
    tiny.state.mkdir(parents=True)
    try:
        (tiny.state / "letters").write_text("dear")
        done = tiny.run("down")
        assert done.returncode != 0
        assert "is not the directory of a lab: nothing was removed" in done.stderr
        assert (tiny.state / "letters").read_text() == "dear"
    finally:
        (tiny.state / "letters").unlink()
        tiny.state.rmdir()
