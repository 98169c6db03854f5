"""A city is lost with its database; the other takes over behind a fence, the first comes back and leads again.

Every step of it changes who leads; at its end all is as it was.
"""

import itertools
import json
import threading
import time
import urllib.error
import urllib.request

import psycopg
import pytest

from stormdrill import topology, wait
from stormdrill.direct.promotion import Decision, promote
from stormdrill.direct.rebuild import Wanted, rebuild
from stormdrill.direct.side import pair_of
from stormdrill.direct.switchback import switch
from stormdrill.errors import ActionError
from stormdrill.fence import How
from stormdrill.kube import Cluster

pytestmark = pytest.mark.lab
LOST = Decision("ada", "the city is lost")


@pytest.fixture
def lab(spare_lab):
    return spare_lab.whole()


def ready(lab, edge):
    try:
        with urllib.request.urlopen(f"http://{lab.endpoints[edge]}/readyz", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


class Writer(threading.Thread):
    """Commits one row after another wherever writes are taken, and keeps what was acknowledged."""

    def __init__(self, pair):
        super().__init__(daemon=True)
        self.pair, self.acknowledged, self.ended = pair, [], threading.Event()

    def run(self):
        while not self.ended.is_set():
            for side in (self.pair.home, self.pair.standby):
                if proof := side.takes_writes():
                    self.acknowledged.append((time.monotonic(), proof.scope, proof.timeline))

    def longest_pause_s(self, since):
        times = [at for at, *_ in self.acknowledged if at >= since]
        return max(after - before for before, after in itertools.pairwise(times))


def test_there_and_back(lab, tmp_path):
    estate = topology.load(lab.topology)
    clusters = {n: Cluster.connect(lab.kubeconfig, r.context) for n, r in estate.regions.items()}
    told = []
    pair = pair_of(estate, "cell0", clusters, lambda kind, actor="", **data: told.append((kind, data)))
    home, remote = pair.home, pair.standby
    tell = home.fencing.tell
    assert (ready(lab, "edge-city1-a"), ready(lab, "edge-city2-a")) == (True, False)

    with pytest.raises(ActionError, match="not fenced"):
        promote(remote, home, LOST, tell)
    home.fencing.arm("ada")
    assert home.fencing.close("ada", deadline_s=30).how is How.PROVEN
    begun = time.monotonic()
    promoted = promote(remote, home, LOST, tell)
    wait.until(lambda: ready(lab, "edge-city2-a"), deadline_s=30, what="the edge of city2")
    assert time.monotonic() - begun < 30
    assert (promoted.fence.how, promoted.proof.timeline) == (How.PROVEN, 2)
    with pytest.raises(ActionError, match="promoted already"):
        promote(remote, home, LOST, tell)

    back = rebuild(home, remote, Wanted("ada", tmp_path / "fork.json", estate.audit), tell)
    assert (back.fork.unread, back.fork.lost, back.timeline) == ((), (), 2)
    assert [one["read"] for one in json.loads((tmp_path / "fork.json").read_text())["members"]] == [
        True,
        True,
    ]
    assert not ready(lab, "edge-city1-a"), "databases come back as standby; nobody is sent there yet"

    writer, since = Writer(pair), time.monotonic()
    writer.start()
    switched = switch(remote, home, "ada", "the city is back", tell)
    wait.until(lambda: ready(lab, "edge-city1-a"), deadline_s=30, what="the edge of city1")
    wait.until(lambda: not ready(lab, "edge-city2-a"), deadline_s=30, what="the edge of city2, waiting again")
    writer.ended.set()
    writer.join()
    assert switched.proof.timeline == 3
    assert max(switched.pause_s, writer.longest_pause_s(since)) < 10
    scopes = [scope for _, scope, _ in writer.acknowledged]
    assert scopes == sorted(scopes, reverse=True), "nobody wrote in city2 once city1 led again"
    with psycopg.connect(
        home.site.dsn, password=home.password, target_session_attrs="read-write"
    ) as connection:
        assert connection.execute("SELECT count(*) FROM bank_schema").fetchone() == (1,)
    kinds = [kind for kind, _ in told]
    assert [k for k in kinds if k in ("promote.done", "fork.exported", "rebuild.done", "switch.done")] == [
        "promote.done", "fork.exported", "rebuild.done", "promote.done", "switch.done",
    ]  # fmt: skip
