"""Three sites in network namespaces of their own, joined by a router whose forward hook the tests cut."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stormdrill import wait

_LINE = re.compile(r'stormdrill_canary_up\{zone="(\w+)",peer="([\w-]+)",path="([\w-]+)"\} ([01])')
ZONES = {"east": 1, "west": 2, "north": 3}


@dataclasses.dataclass
class Sites:
    """`router` is a namespace; each zone has one with a canary at 10.91.<number>.2."""

    router: str
    canaries: dict[str, subprocess.Popen]

    def cut(self, *pairs: tuple[str, str]) -> None:
        """Drop what goes from the first zone to the second of each pair."""
        drops = "".join(
            f"ip saddr 10.91.{ZONES[source]}.2 ip daddr 10.91.{ZONES[to]}.2 drop\n" for source, to in pairs
        )
        hook = "type filter hook forward priority -150;"
        self._nft(f"table inet cut {{ chain f {{\n{hook}\n{drops}}}\n}}\n")

    def heal(self) -> None:
        self._nft("delete table inet cut\n")

    def _nft(self, rules: str) -> None:
        argv = ["ip", "netns", "exec", self.router, "nft", "-f", "-"]
        subprocess.run(argv, input=rules, text=True, check=True, timeout=10)

    def page(self, zone: str) -> str:
        pid = str(self.canaries[zone].pid)
        url = f"http://10.91.{ZONES[zone]}.2:7401/metrics"
        return _run("nsenter", "-n", "-t", pid, "curl", "-sSf", "-m", "2", url)

    def down(self) -> set[tuple[str, str, str]]:
        """(zone, peer, path) of what does not work now."""
        found = [match for zone in self.canaries for match in _LINE.findall(self.page(zone))]
        return {(zone, peer, path) for zone, peer, path, up in found if up == "0"}

    def known(self) -> int:
        return sum(len(_LINE.findall(self.page(zone))) for zone in self.canaries)


@pytest.fixture(scope="session")
def sites(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    peers = tmp_path_factory.mktemp("canary") / "peers"
    peers.write_text("# all of them\n" + "".join(f"10.91.{number}.2\n" for number in ZONES.values()))
    router = f"canary-test-{os.getpid()}"
    names = {zone: f"{router}-{zone}" for zone in ZONES}
    canaries = {}
    try:
        _lay(router, names)
        for zone, name in names.items():
            argv = [sys.executable, "-m", "stormdrill", "canary", "--zone", zone, "--peers", str(peers)]
            argv += ["--database", "east=10.91.1.2:7401", "--control-plane", "10.91.1.1:9"]
            argv += ["--listen", f"10.91.{ZONES[zone]}.2"]
            canaries[zone] = subprocess.Popen(["ip", "netns", "exec", name, *argv])
        made = Sites(router, canaries)
        wait.until(lambda: _answers(made), deadline_s=20, what="canaries that answer")
        yield made
    finally:
        for canary in canaries.values():
            canary.send_signal(signal.SIGTERM)
        codes = [canary.wait(10) for canary in canaries.values()]
        for name in (router, *names.values()):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    assert codes == [0] * len(ZONES), "SIGTERM is a good end"


def _lay(router: str, names: dict[str, str]) -> None:
    inside = [f"netns add {name}" for name in (router, *names.values())]
    for zone, name in names.items():
        net = f"10.91.{ZONES[zone]}"
        inside += [
            f"-n {router} link add {zone} type veth peer name site netns {name}",
            f"-n {router} addr add {net}.1/24 dev {zone}", f"-n {router} link set {zone} up",
            f"-n {name} addr add {net}.2/24 dev site", f"-n {name} link set site up",
            f"-n {name} link set lo up", f"-n {name} route add default via {net}.1",
        ]  # fmt: skip
    for line in inside:
        _run("ip", *line.split())
    _run("ip", "netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")


def _answers(sites: Sites) -> bool:
    try:
        return sites.known() == 3 * (2 * 3 + 2)
    except subprocess.CalledProcessError:
        return False


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout


@pytest.fixture
def peers_file(tmp_path) -> Path:
    return tmp_path / "peers"
