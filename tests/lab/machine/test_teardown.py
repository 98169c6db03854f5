"""Taking a lab down: all of what it made, none of what others made, whatever was going on."""

import subprocess
from pathlib import Path
from threading import Event

import pytest

from stormlab import cgroup
from stormlab.teardown import teardown
from stormlab.wait import until

pytestmark = pytest.mark.lab


def namespaces(prefix):
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line.startswith(prefix)]


def running(marker):
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in place.read_bytes():
                found.append(place.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.25])
def test_nothing_is_left_even_of_pods_that_were_being_made(network, another, after_s):
    lab = another
    lab.prepare()
    lab.start_relay()
    lab.start_api("city1")
    lab.start_node("city1-b")
    until(lambda: node_is_there(lab), "node", 15)
    for number in range(4):
        lab.run(f"p{number}", "city1-b", "sleep", "71723", ready=False)
    Event().wait(after_s)
    state = str(lab.state).encode()
    assert teardown(lab.inventory) == []
    assert namespaces("sl-ha2-") == []
    assert not list(cgroup.v2_root().glob("stormlab-ha2*"))
    assert not lab.state.exists()
    until(lambda: not running(state) and not running(b"sleep\x0071723"), "all processes gone", 5)
    assert teardown(lab.inventory) == [], "again is harmless"
    assert network.relay({"get": True}), "the lab beside it goes on"


def node_is_there(lab):
    items = lab.call("GET", "/api/v1/nodes")["items"]
    return [item["metadata"]["name"] for item in items] == ["city1-b"]


def test_a_half_made_lab_is_removed_too(another):
    """As after a SIGKILL between the record and the thing, and between a thing and its use."""
    inventory = another.inventory
    inventory.add("cgroup", cgroup.v2_root() / "stormlab-ha2")
    inventory.add("netns", "sl-ha2-outside")
    Path("/run/netns/sl-ha2-outside").touch()
    inventory.add("netns", "sl-ha2-never")
    with inventory.path.open("ab") as file:
        file.write(b'{"add":"netns","na')
    assert teardown(inventory) == []
    assert namespaces("sl-ha2-") == []
