"""Experiments, topologies and settings as a test wants them, made from those of the repository."""

import contextlib
import json
import urllib.request

from tests.lab.drill.estate import ROOT, cluster, patroni, until, whole
from tests.lab.verdicts.writing import FIRST

TIMES = "warmup=3s,steady=12s,window=6s"
"""Short, and long enough for every rule to be shown: a drill in which nothing is wrong passes."""


def experiment(directory, name, *changes):
    """A copy of an experiment with texts replaced, each of which it has exactly once; its path."""
    text = _with((ROOT / "experiments" / f"{name}.yaml").read_text(), changes)
    path = directory / f"{name}.yaml"
    path.write_text(text.replace("../", f"{ROOT}/"))
    return str(path)


def without_the_writer(lab, directory):
    """Options of a drill whose load and books are without the independent writer's customers."""
    topology = lab.topology.with_name("beside-a-writer.yaml")
    own = ("%(since)s AND ordered ORDER", f"%(since)s AND ordered AND from_account < {FIRST} ORDER")
    topology.write_text(_with(lab.topology.read_text(), [own]))
    profile = directory / "light.yaml"
    light = (ROOT / "tests/lab/drill/light.yaml").read_text()
    profile.write_text(_with(light, [("count: 10_000", f"count: {FIRST - 1:_}")]))
    return ("--profile", str(profile), "--topology", str(topology))


def _with(text, changes):
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def configure(lab, **settings):
    """PATCH the database cluster's dynamic configuration."""
    request = urllib.request.Request(
        f"{patroni(lab)}/config",
        json.dumps(settings).encode(),
        {"Content-Type": "application/json"},
        method="PATCH",
    )
    urllib.request.urlopen(request, timeout=5).close()


@contextlib.contextmanager
def configured(lab, before, **settings):
    """Settings of the database cluster, put back to `before` at the end."""
    configure(lab, **settings)
    try:
        yield
    finally:
        until(lambda: whole(lab), 60, "a leader and its standby")
        configure(lab, **before)


def synchronous(lab):
    """Whether the standby is synchronous."""
    return any(one["role"] == "sync_standby" for one in cluster(lab).values())
