"""The files of a node: a disk of its own, its own control groups, and nothing of the machine's."""

import pytest

from stormlab.hostfiles import of_the_machine
from stormlab.node.hostpath import HostPathError, NodeFiles


@pytest.fixture
def files(tmp_path):
    (tmp_path / "groups" / "kubepods").mkdir(parents=True)
    return NodeFiles(tmp_path / "nodes" / "a" / "disk", tmp_path / "groups")


def test_what_is_missing_is_made_on_the_nodes_disk(files):
    place = files.place({"path": "/var/lib/x", "type": "DirectoryOrCreate"})
    assert place == files.disk / "var/lib/x"
    assert place.is_dir()
    assert files.place({"path": "/var/lib/x", "type": "Directory"}) == place
    assert files.place({"path": "/etc/y", "type": "FileOrCreate"}).is_file()
    assert files.place({"path": "/whatever"}).is_dir()
    assert files.disk.parent.parent.stat().st_mode & 0o077 == 0


def test_the_control_groups_are_the_nodes(files):
    assert files.place({"path": "/sys/fs/cgroup", "type": "Directory"}) == files.groups
    assert files.place({"path": "/sys/fs/cgroup/kubepods"}) == files.groups / "kubepods"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"path": "/var/none", "type": "Directory"}, "not a directory"),
        ({"path": "/file", "type": "DirectoryOrCreate"}, "not a directory"),
        ({"path": "/dir", "type": "File"}, "not a file"),
        ({"path": "/var/../../x"}, "not on this node"),
        ({"path": "/proc/sys"}, "not on this node"),
        ({"path": "/way/out/etc"}, "leads out"),
        ({"path": "/sys/fs/cgroup/none"}, "type check"),
    ],
)
def test_what_is_not_there_or_not_the_nodes_is_refused(files, source, said):
    files.place({"path": "/file", "type": "FileOrCreate"})
    files.place({"path": "/dir"})
    (files.disk / "way").mkdir()
    (files.disk / "way" / "out").symlink_to("/")
    with pytest.raises(HostPathError, match=said):
        files.place(source)


def test_what_belongs_to_the_machine():
    assert [path for path in ("/", "/sys", "/sys/fs", "/dev/sda", "/proc") if not of_the_machine(path)] == []
    assert [path for path in ("/sys/fs/cgroup", "/var/lib", "/device") if of_the_machine(path)] == []
