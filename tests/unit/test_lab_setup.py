"""The set-up script on a Debian machine that stands in for one: its files are real, its package manager is not."""

import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup-debian.sh"
TOOLS = (
    "cat",
    "chmod",
    "cp",
    "date",
    "dirname",
    "flock",
    "grep",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sh",
    "sleep",
    "tr",
)
FAKES = {
    "id": 'echo "${FAKE_UID:-0}"',
    "dpkg-query": 'for name; do :; done; [ ! -e "$SETUP_ROOT/installed/$name" ] || echo installed',
    "systemctl": 'echo "systemctl $*" >>"$SETUP_ROOT/calls"',
    # Installs by making files; shows what a package's own scripts would have found; dies with its caller.
    "apt-get": """\
echo "apt-get $*" >>"$SETUP_ROOT/calls"
case "$*" in
*install*) ;;
*)
    rm "$SETUP_ROOT/locked" 2>/dev/null || exit 0
    echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)"
    exit 100
    ;;
esac
for name; do
    [ "$name" != "${KILL_AT:-}" ] || { kill -"$KILL_WITH" $PPID; exit 1; }
    case $name in
    postgresql-common)
        [ -e "$SETUP_ROOT/etc/postgresql-common/createcluster.conf" ] ||
            echo "ssl = on" >"$SETUP_ROOT/etc/postgresql-common/createcluster.conf" ;;
    postgresql-15)
        cat "$SETUP_ROOT/etc/postgresql-common/createcluster.conf" >"$SETUP_ROOT/seen-cluster" ;;
    esac
    case $name in
    postgresql-common) echo >"$SETUP_ROOT/lib/systemd/system/postgresql.service" ;;
    haproxy) echo >"$SETUP_ROOT/lib/systemd/system/haproxy.service" ;;
    esac
    case $name in
    [a-z]*) echo >"$SETUP_ROOT/installed/$name"
        sh "$SETUP_ROOT/usr/sbin/policy-rc.d" || echo "$name: $?" >>"$SETUP_ROOT/seen-policy" ;;
    esac
done
""",
}


class Machine:
    """A root directory with the script's project beside it."""

    def __init__(self, place: Path) -> None:
        self.root, self.bin = place / "root", place / "bin"
        self.policy = self.root / "usr/sbin/policy-rc.d"
        self.cluster = self.root / "etc/postgresql-common/createcluster.conf"
        for name in ("usr/sbin", "etc/postgresql-common", "lib/systemd/system", "installed"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
        self.script = place / "project" / "scripts" / "setup-debian.sh"
        self.script.parent.mkdir(parents=True)
        shutil.copy(SCRIPT, self.script)
        (place / "project" / "debian-packages.txt").write_text("postgresql-15 no-such-program\nhaproxy\n")
        self.bin.mkdir()
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name))
        for name, text in FAKES.items():
            self.program(name, text)

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def setup(self, **environment: str) -> subprocess.CompletedProcess[str]:
        told = {"PATH": str(self.bin), "SETUP_ROOT": str(self.root), **environment}
        argv = [str(self.script)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=told, timeout=60)

    def read(self, name: str) -> str:
        path = self.root / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_nothing_starts_while_it_installs_and_all_is_as_before_after_it(machine):
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (machine.root / "installed").iterdir()} >= {"postgresql-15", "haproxy"}
    assert "postgresql-15: 101" in machine.read("seen-policy")
    assert "haproxy: 101" in machine.read("seen-policy")
    assert "create_main_cluster = false" in machine.read("seen-cluster")
    assert machine.cluster.read_text() == "ssl = on\n"
    assert [path.name for path in machine.policy.parent.iterdir()] == []
    (machine.root / "calls").unlink()
    assert machine.setup().returncode == 0
    assert machine.read("calls") == "", "nothing to do the second time"


@pytest.mark.parametrize("theirs", [None, "#!/bin/sh\nexit 0\n"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("package", ["postgresql-common", "haproxy"])
def test_a_killed_setup_leaves_nothing_for_good(machine, theirs, number, package):
    machine.cluster.write_text("ssl = off\n")
    if theirs:
        machine.policy.write_text(theirs)
        machine.policy.chmod(0o750)
    killed = machine.setup(KILL_AT=package, KILL_WITH=str(number.value))
    assert killed.returncode == (-number if number == signal.SIGKILL else 130)
    if number == signal.SIGKILL:
        assert "exit 101" in machine.policy.read_text()
        assert machine.setup().returncode == 0
    assert machine.cluster.read_text() == "ssl = off\n"
    assert [path.name for path in machine.policy.parent.iterdir()] == (["policy-rc.d"] if theirs else [])
    if theirs:
        assert machine.policy.read_text() == theirs
        assert stat.S_IMODE(machine.policy.stat().st_mode) == 0o750


def test_what_a_killed_setup_left_is_put_back_also_when_no_package_is_missing(machine):
    machine.setup(KILL_AT="haproxy", KILL_WITH="9")
    for name in ("postgresql-15", "haproxy"):
        (machine.root / "installed" / name).touch()
    refused = machine.setup(FAKE_UID="1000")
    assert refused.returncode == 2
    assert "a killed set-up left its settings behind" in refused.stderr
    assert machine.setup().returncode == 0
    assert not machine.policy.exists()
    assert machine.cluster.read_text() == "ssl = on\n"


def test_a_policy_of_somebody_else_stays_when_a_run_was_killed_before_it_wrote_its_own(machine):
    machine.policy.write_text("#!/bin/sh\nexit 0\n")
    shutil.copy(machine.policy, machine.policy.with_name("policy-rc.d.before-setup"))
    assert machine.setup().returncode == 0
    assert machine.policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert [path.name for path in machine.policy.parent.iterdir()] == ["policy-rc.d"]


def disabled(machine):
    lines = machine.read("calls").splitlines()
    return [line.removeprefix("systemctl disable ") for line in lines if line.startswith("systemctl")]


def test_what_it_installed_does_not_start_at_the_next_boot(machine):
    assert machine.setup().returncode == 0
    assert disabled(machine) == ["haproxy.service", "postgresql.service"]


def test_a_service_that_was_there_before_keeps_its_ways(machine):
    (machine.root / "lib/systemd/system/haproxy.service").touch()
    assert machine.setup().returncode == 0
    assert disabled(machine) == ["postgresql.service"]


@pytest.mark.parametrize("installed", [[], ["postgresql-15", "haproxy"]])
def test_what_a_killed_run_installed_is_disabled_by_the_next(machine, installed):
    (machine.root / "lib/systemd/system/etcd.service").touch()
    machine.setup(KILL_AT="haproxy", KILL_WITH="9")
    assert disabled(machine) == []
    for name in installed:
        (machine.root / "installed" / name).touch()
        (machine.root / "lib/systemd/system/haproxy.service").touch()
    assert machine.setup().returncode == 0
    assert disabled(machine) == ["haproxy.service", "postgresql.service"]


def test_what_a_failed_run_installed_does_not_start_either(machine):
    (machine.bin / "apt-get").write_text(
        "#!/bin/sh\necho >$SETUP_ROOT/lib/systemd/system/etcd.service; exit 100"
    )
    done = machine.setup()
    assert done.returncode == 2
    assert "setup: failed: apt-get" in done.stderr
    assert disabled(machine) == ["etcd.service"]
    assert not machine.policy.exists()


def test_a_machine_without_systemd_needs_none(machine):
    (machine.bin / "systemctl").unlink()
    assert machine.setup().returncode == 0


def test_a_package_manager_at_work_is_waited_for(machine):
    (machine.root / "locked").touch()
    assert machine.setup().returncode == 0
    calls = machine.read("calls").splitlines()
    assert [line.split()[1] for line in calls if line.startswith("apt-get")][:3] == [
        "update",
        "update",
        "install",
    ]
    assert all("-o DPkg::Lock::Timeout=300 " in line for line in calls if " install " in line)


def test_a_package_manager_that_fails_is_not_asked_again(machine):
    machine.program("apt-get", 'echo x >>"$SETUP_ROOT/calls"; echo "E: no space left"; exit 100')
    done = machine.setup()
    assert done.returncode == 2
    assert "E: no space left" in done.stderr
    assert machine.read("calls") == "x\n"


@pytest.mark.parametrize(
    "release", ['ID=ubuntu\nVERSION_ID="24.04"\n', "ID=debian\nVERSION_ID=13\n", "ID=debian\n"]
)
def test_another_release_is_told_so_and_stays_untouched(machine, release):
    (machine.root / "etc/os-release").write_text(release or "")
    if release is None:
        (machine.root / "etc/os-release").unlink()
    done = machine.setup()
    assert done.returncode == 2
    assert "the packages are those of Debian 12, and this is" in done.stderr
    assert "postgresql-15" in done.stderr
    assert machine.read("calls") == ""
    for name in ("postgresql-15", "haproxy"):
        (machine.root / "installed" / name).touch()
    assert machine.setup().returncode == 0, "who has the programs needs no packages"


def test_an_ordinary_user_is_told_a_command_that_this_machine_has(machine):
    done = machine.setup(FAKE_UID="1000")
    assert done.returncode == 2
    assert "missing Debian packages: postgresql-15 haproxy" in done.stderr
    assert f"\n    su -c '{machine.script}'\n" in done.stderr
    machine.program("sudo", "exit 1")
    assert f"\n    sudo {machine.script}\n" in machine.setup(FAKE_UID="1000").stderr
    assert machine.read("calls") == ""
