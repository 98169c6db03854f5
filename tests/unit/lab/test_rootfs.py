"""The plan of a container's root directory."""

import os
import sys
from pathlib import Path

from stormlab.pod.rootfs import Identity, Mount, plan, program_directories

ME = Identity("web-0", "web-0.web.bank.svc.cluster.local", "10.77.1.2", 999, 998, "10.77.1.1", ("x", "y"))


def steps_by_path(*mounts):
    return {step[1]: step for step in plan(ME, mounts)}


def test_programs_are_read_only_and_links_stay_links():
    steps = steps_by_path()
    assert steps["/usr"] == ["bind", "/usr", "/usr", True]
    assert sys.base_prefix in program_directories() or any(
        sys.base_prefix.startswith(f"{place}/") for place in program_directories()
    )
    if Path("/bin").is_symlink():
        assert steps["/bin"] == ["symlink", "/bin", str(Path("/bin").readlink())]


def test_the_python_of_this_process_is_there():
    places = program_directories()
    for wanted in (sys.prefix, sys.base_prefix):
        assert any(wanted == place or wanted.startswith(f"{place}/") for place in places)


def test_who_it_is():
    files = {step[1]: step[2] for step in plan(ME, []) if step[0] == "file"}
    assert "app:x:999:998:" in files["/etc/passwd"]
    assert files["/etc/hosts"].endswith("10.77.1.2 web-0.web.bank.svc.cluster.local web-0\n")
    assert files["/etc/resolv.conf"].startswith("nameserver 10.77.1.1\nsearch x y\n")


def test_a_mount_inside_a_read_only_tree_opens_it_up_along_the_way():
    steps = plan(ME, [Mount("/srv/x", "/usr/local/etc/new/place")])
    binds = [step[1] for step in steps if step[0] == "bind"]
    assert "/usr" not in binds
    assert "/usr/local" not in binds
    assert "/usr/share" in binds
    assert ["dir", "/usr/local", 0o755] in steps
    assert steps[-1] == ["bind", "/usr/local/etc/new/place", "/srv/x", False]
    others = {entry.path for entry in os.scandir("/usr") if entry.name != "local" and not entry.is_symlink()}
    assert others <= set(binds)


def test_a_mount_on_something_that_exists_needs_no_opening():
    steps = plan(ME, [Mount("/srv/x", "/usr/share")])
    assert ["bind", "/usr", "/usr", True] in steps


def test_outer_mounts_come_before_inner_ones():
    steps = plan(ME, [Mount("/b", "/data/inner"), Mount("/a", "/data", read_only=True)])
    assert [step[1] for step in steps[-2:]] == ["/data", "/data/inner"]
    assert steps[-2] == ["bind", "/data", "/a", True]
