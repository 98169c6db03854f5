"""A drill's switching on the fakes of `sites`: what it asked of them, and what it told the history."""

import uuid

from stormdrill import topology as topology_file
from stormdrill.audit import Books
from stormdrill.drill import moves, remains_of_moves
from stormdrill.drill.stop import Stop
from stormdrill.drill.switching import Given, Switching
from stormdrill.fence import read
from stormdrill.store import Run


class Drill:
    """One drill's switching on the fakes."""

    def __init__(self, sites, cluster, directory) -> None:
        self.sites, self.cluster = sites, cluster
        self.namespace = f"m-{uuid.uuid4().hex[:8]}"
        cluster.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        for name in sorted(member.removesuffix("-0") for member in sites.members.values()):
            cluster.create(f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets", stateful_set(name))
        (directory / "topology.yaml").write_text(sites.topology(self.namespace))
        (directory / "continuity.yaml").write_text(
            "schema: stormdrill.continuity/1\n"
            'fault_classes: {x: {title: X, tiers: {A: {recovery_time: "5s [U] our choice"}}}}\n'
        )
        self.topology = topology_file.load(directory / "topology.yaml")
        self.clusters = {"city1": cluster, "city2": cluster}
        self.stop, self.told, self.on = Stop(), [], {}
        (directory / "r1").mkdir()
        self.switching = Switching(
            Given(
                topology=self.topology,
                clusters=self.clusters,
                record=self.record,
                check=self.stop.check,
                pause=self.stop.pause,
                run=Run(directory / "r1"),
                books=lambda: Books.incomplete("none", 0, "a fake"),
                since=lambda _: 0,
            )
        )

    def record(self, kind, actor="", mono_ns=None, **data):
        self.told.append((kind, data))
        if kind in self.on:
            self.on[kind](data)

    @property
    def kinds(self):
        return [kind for kind, _ in self.told]

    @property
    def fence(self):
        return self.fence_of("")

    def fence_of(self, cell):
        return read(self.cluster, self.namespace, cell)

    @property
    def replicas(self):
        return self.replicas_of("pg-a")

    def replicas_of(self, name):
        path = f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets/{name}"
        return self.cluster.get(path)["spec"]["replicas"]

    def fail_over(self, **more):
        return self.switching.fail_over("", "city1 is silent", **{"after_s": 0.0, "t0_ns": None, **more})

    def unusual(self):
        return moves.unusual(self.topology, self.clusters)

    def settle(self):
        return remains_of_moves.settle(self.topology, self.clusters, lambda _: None, lambda: None)


def stateful_set(name):
    pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "pg", "image": "pg"}]}}
    spec = {"serviceName": "pg", "replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}
