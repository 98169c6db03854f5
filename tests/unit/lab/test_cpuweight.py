"""Who goes before whom on a full machine, against hierarchies that are only files."""

import pytest

from stormlab import cgroup, cpuweight
from stormlab.inventory import Inventory
from stormlab.pod.sandbox import Sandbox, serve

V2 = {"cpu.weight": "100", "cpu.idle": "0", "cgroup.subtree_control": "", "cgroup.kill": ""}


def group(path, **files):
    """A group with these files of the kernel's."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def says(path, name):
    return (path / name).read_text()


@pytest.fixture
def v2(tmp_path, monkeypatch):
    """A machine under systemd with v2 alone, on which the lab's groups have just been made."""
    root = group(tmp_path / "cgroup", **V2)
    for name in (
        "user.slice",
        "system.slice",
        "stormlab-x",
        "stormlab-x.daemons",
        "stormlab-x/a",
        "stormlab-x/a/kubepods",
    ):
        group(root / name, **V2)
    monkeypatch.setattr(cgroup, "v2_root", lambda: root)
    monkeypatch.setattr(cgroup, "v1_cpu_root", lambda: None)
    monkeypatch.setattr(cgroup, "v1_memory_root", lambda: None)
    monkeypatch.setattr(cgroup, "own_v2_group", lambda: "/user.slice/user-0.slice/session-3.scope")
    return root


def made(tmp_path):
    cgroup.make_lab(Inventory(tmp_path / "state"), "stormlab-x", ["a"])


def test_beside_slices_the_whole_lab_weighs_as_much_as_the_callers(v2, tmp_path):
    made(tmp_path)
    pods, daemons = (int(says(v2 / name, "cpu.weight")) for name in ("stormlab-x", "stormlab-x.daemons"))
    assert pods + daemons == 100
    assert daemons > pods, "one busy pod weighs as much as all"
    assert says(v2 / "user.slice", "cpu.weight") == "100", "what is systemd's stays as it is"


def test_a_slice_that_weighs_otherwise_is_still_the_measure(v2, tmp_path):
    group(v2 / "user.slice", **{"cpu.weight": "1000"})
    made(tmp_path)
    assert says(v2 / "stormlab-x", "cpu.weight") == "400"
    assert says(v2 / "stormlab-x.daemons", "cpu.weight") == "600"


def test_beside_single_processes_the_numbers_are_those_of_v1(v2, tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup, "own_v2_group", lambda: "/")
    made(tmp_path)
    assert says(v2 / "stormlab-x", "cpu.weight") == "800"
    assert says(v2 / "stormlab-x.daemons", "cpu.weight") == "1000"


def test_each_pod_can_be_weighed(v2, tmp_path):
    made(tmp_path)
    parent = cgroup.pod_path("stormlab-x", "a", "1").parent
    assert parent == v2 / "stormlab-x" / "a" / "kubepods", "siblings: an idle group gives way to no others"
    while parent != v2.parent:
        assert says(parent, "cgroup.subtree_control") == "+cpu"
        parent = parent.parent


def test_a_pod_of_v2_is_idle_until_it_serves(v2):
    path = group(cgroup.pod_path("stormlab-x", "a", "1"), **V2)
    parts = dict.fromkeys(("namespace", "name", "zone", "hostname", "address", "netns"), "x")
    sandbox = Sandbox(uid="1", **parts, own_network=True, cgroup=str(path), cpu_cgroup="")
    cpuweight.starts(sandbox.weighed)
    assert says(path, "cpu.idle") == "1"
    serve(sandbox)
    assert (says(path, "cpu.idle"), says(path, "cpu.weight")) == ("0", "100")


@pytest.mark.parametrize(
    ("files", "starting", "serving"),
    [
        ({"cpu.shares": "1024", "cpu.idle": "0"}, {"cpu.idle": "1"}, {"cpu.idle": "0", "cpu.shares": "1024"}),
        ({"cpu.shares": "1024"}, {"cpu.shares": "64"}, {"cpu.shares": "1024"}),
        ({"cpu.weight": "100"}, {"cpu.weight": "6"}, {"cpu.weight": "100"}),
        ({}, {}, {}),
    ],
)
def test_a_pod_weighs_less_by_whatever_the_kernel_has(tmp_path, files, starting, serving):
    path = group(tmp_path / "pod1", **files)

    def content():
        return {file.name: file.read_text() for file in path.iterdir()}

    cpuweight.starts(path)
    assert content() == {**files, **starting}
    cpuweight.serves(path)
    assert content() == {**files, **serving}


def test_what_is_gone_or_cannot_be_weighed_is_left_alone(tmp_path):
    cpuweight.serves(tmp_path / "gone")
    root = group(tmp_path / "container")
    pods, daemons = group(root / "x"), group(root / "x.daemons")
    cpuweight.weigh_v2(root, pods, daemons, caller="/")
    assert [*pods.iterdir(), *daemons.iterdir()] == []
    assert sorted(root.iterdir()) == [pods, daemons]


def test_v1_weighs_all_pods_by_shares(v2, tmp_path, monkeypatch):
    v1 = group(tmp_path / "v1")
    group(v1 / "stormlab-x", **{"cpu.shares": "1024"})
    monkeypatch.setattr(cgroup, "v1_cpu_root", lambda: v1)
    made(tmp_path)
    assert says(v1 / "stormlab-x", "cpu.shares") == "8192"
    assert says(v2 / "stormlab-x", "cpu.weight") == "100", "v2 has no say there"


def test_where_memory_is_under_v2_pods_can_be_limited_there(v2, tmp_path, monkeypatch):
    v1 = group(tmp_path / "v1")
    monkeypatch.setattr(cgroup, "v1_cpu_root", lambda: v1)
    made(tmp_path)
    for path in (v2, v2 / "stormlab-x", v2 / "stormlab-x" / "a", v2 / "stormlab-x" / "a" / "kubepods"):
        assert says(path, "cgroup.subtree_control") == "+memory"
