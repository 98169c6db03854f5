"""A site that is lost is silent first, and then its pods' containers die, until it is given back."""

import contextlib
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from stormdrill.agent import cgroups

from .network import FAR, NODE, POD, Flow, connects
from .rig import eventually

pytestmark = pytest.mark.lab

V2 = next(
    (Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line),
    None,
)


class Groups:
    """Control groups in the shape of a kubelet's, with a sleeping process each."""

    def __init__(self):
        self.root = V2 / f"agent-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.root.mkdir()
        self.processes = []

    def container(self, path):
        group = self.root / path
        group.mkdir(parents=True, exist_ok=True)
        script = f"echo 0 > {group}/cgroup.procs && exec sleep 1000"
        process = subprocess.Popen(["bash", "-c", script])
        self.processes.append(process)
        # Killed on sight it may never come to sleep.
        assert eventually(lambda: self.comm(process) == "sleep" or process.poll() is not None)
        return process

    def sandbox(self, path, binary):
        group = self.root / path
        group.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(["bash", "-c", f"echo 0 > {group}/cgroup.procs && exec {binary} 1000"])
        self.processes.append(process)
        assert eventually(lambda: self.comm(process) == "pause")
        return process

    @staticmethod
    def comm(process):
        return Path(f"/proc/{process.pid}/comm").read_text().strip()

    def close(self):
        (self.root / "cgroup.kill").write_text("1")
        for process in self.processes:
            process.wait()
        for directory, _, _ in os.walk(self.root, topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()


@pytest.fixture
def groups():
    made = Groups()
    yield made
    made.close()


@pytest.fixture
def pause(tmp_path):
    (tmp_path / "pause").symlink_to("/bin/sleep")
    return tmp_path / "pause"


def pod(uid, name="app", namespace="shop", **meta):
    return {
        "metadata": {"uid": uid, "name": name, "namespace": namespace, **meta},
        "status": {"phase": "Running"},
    }


def alive(process):
    return process.poll() is None


def test_silent_then_dead_until_given_back(rig, groups, pause, monkeypatch):
    ours, theirs, own, spared = (str(uuid.uuid4()) for _ in range(4))
    app = groups.container(f"kubepods/burstable/pod{ours}/c1")
    nested = groups.container(f"kubepods/burstable/pod{ours}/c2/inner")
    sandbox = groups.sandbox(f"kubepods/burstable/pod{ours}/s", pause)
    other = groups.container(f"kubepods/burstable/pod{theirs}/c1")
    agent = groups.container(f"kubepods/pod{own}/c1")
    canary = groups.container(f"kubepods/pod{spared}/c1")
    monkeypatch.setenv("POD_UID", own)
    labelled = {"namespace": "stormdrill", "labels": {"app": "canary"}}
    rig.say(pods=[pod(ours), pod(own), pod(spared, **labelled), pod("gone")])
    listener, inner = rig.far.listen(), rig.node.listen()
    rig.start("--cgroup", str(groups.root), "--spare", "app=canary").ready()
    flow = Flow(rig.pod, listener, FAR)
    rig.put("loss", kind="site-loss")
    status = rig.until("applied", "loss")
    assert status["tookMs"] < 500
    assert (app.wait(5), nested.wait(5)) == (-9, -9)
    assert [alive(one) for one in (sandbox, other, agent, canary)] == [True] * 4
    assert not flow.works()
    assert not connects(rig.pod, NODE)
    assert not connects(rig.node, POD)
    again = groups.container(f"kubepods/burstable/pod{ours}/c3")
    again.wait(5)  # on sight
    assert status["evidence"]["kills"] >= 1
    rig.put("loss", kind="site-loss", desired="reverted")
    evidence = rig.until("reverted", "loss")["evidence"]
    assert evidence["kills"] >= 2
    assert evidence["pods_not_found"] == 1
    assert evidence["dropped"] > 0
    last = groups.container(f"kubepods/burstable/pod{ours}/c4")
    assert connects(rig.pod, NODE)
    assert alive(last)
    flow.close()
    listener.close()
    inner.close()


def test_pods_that_cannot_be_found_are_no_loss(rig, groups):
    rig.say(pods=[pod(str(uuid.uuid4()))])
    rig.start("--cgroup", str(groups.root)).ready()
    rig.put("loss", kind="site-loss")
    assert "no control group of any of 1 pods" in rig.until("failed", "loss")["why"]
    assert rig.tables() == []


def test_the_layouts_of_kubelets(groups):
    one, two, three = (str(uuid.uuid4()) for _ in range(3))
    systemd = "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
    name = f"kubelet-kubepods-besteffort-pod{one.replace('-', '_')}.slice"
    scoped = groups.container(f"{systemd}/{name}/cri-containerd-1.scope")
    monitor = groups.container(f"{systemd}/{name}/crio-conmon-1.scope")
    guaranteed = f"kubepods.slice/kubepods-pod{two.replace('-', '_')}.slice"
    (groups.root / guaranteed).mkdir(parents=True)
    (groups.root / f"kubepods/besteffort/pod{three}").mkdir(parents=True)
    found = cgroups.pods(cgroups.parents(groups.root))
    assert found.keys() == {one, two, three}
    assert cgroups.kill_containers(found[one]) == 1
    assert scoped.wait(5) == -9
    assert alive(monitor)
    assert cgroups.kill_containers(found[one]) == 0
