"""A bench: a pod on the volume of a stopped database member, in which the volume is read, and then emptied.

It is made from the member's own StatefulSet (image, settings, volumes, place), but runs no Patroni and has none of its
labels, so no service leads to it. It ends by itself.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from stormdrill import wait
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.kube import ApiError, Cluster

LABEL = "stormdrill-bench"
_LIFE_S = 1800
_PROGRAM = "STORMDRILL_INSIDE"
# The interpreter that Patroni itself runs in has its modules.
_RUN = 'exec $(head -n 1 "$(command -v patroni)" | cut -c 3-) -c "$STORMDRILL_INSIDE" "$@"'
_READY_S = 60.0
_ANSWER_S = 90.0


def clear(cluster: Cluster, namespace: str) -> None:
    """Remove every bench that somebody left behind who died over it."""
    for pod in cluster.pods(namespace, f"app={LABEL}"):
        cluster.delete(f"/api/v1/namespaces/{namespace}/pods/{pod.name}", grace_s=0)


@dataclass(frozen=True)
class Bench:
    """One member's bench. Raises TargetError when its pod cannot be made or asked, ActionError when it refuses."""

    cluster: Cluster
    namespace: str
    stateful_set: str
    member: str
    container: str | None

    @property
    def pod(self) -> str:
        """Its pod's name."""
        return f"{self.member}-bench"

    def open(self) -> None:
        """Make the pod and wait until it runs. ActionError when the member's own pod is there and stays."""
        try:
            wait.until(self._free, deadline_s=_READY_S, what=f"the end of pod {self.member}")
        except DeadlineError as error:
            raise ActionError(f"{error}: its volume is not free") from None
        self.close()
        found = self.cluster.get(
            f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets/{self.stateful_set}"
        )
        self.cluster.create(self._path(), self._manifest(found["spec"]))
        wait.until(self._running, deadline_s=_READY_S, what=f"pod {self.pod}")

    def close(self) -> None:
        """Remove the pod and wait until it is gone."""
        try:
            self.cluster.delete(f"{self._path()}/{self.pod}", grace_s=0)
        except ApiError as error:
            if not error.missing:
                raise
        wait.until(lambda: not self._exists(self.pod), deadline_s=_READY_S, what=f"end of pod {self.pod}")

    def ask(self, verb: str, *arguments: str) -> dict[str, Any]:
        """Have `inside` do one thing."""
        command = ["sh", "-c", _RUN, "bench", verb, *arguments]
        done = self.cluster.exec(self.namespace, self.pod, self.container, command, _ANSWER_S)
        try:
            said = json.loads(done.stdout)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            text = " ".join((done.stderr or done.stdout).split())[-300:]
            raise TargetError(f"{self.pod}: {verb}: exit {done.code}: {text}")
        if "error" in said:
            raise ActionError(f"{self.pod}: {verb}: {said['error']}")
        return said

    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def _exists(self, pod: str) -> bool:
        try:
            self.cluster.get(f"{self._path()}/{pod}")
        except ApiError as error:
            if error.missing:
                return False
            raise
        return True

    def _free(self) -> bool:
        """Whether the member's pod is gone; on a node that came back a moment ago it is still being ended."""
        try:
            pod = self.cluster.get(f"{self._path()}/{self.member}")
        except ApiError as error:
            if error.missing:
                return True
            raise
        if "deletionTimestamp" not in pod["metadata"]:
            raise ActionError(f"{self.member} still has its pod: its volume is not free")
        return False

    def _running(self) -> bool:
        status = self.cluster.get(f"{self._path()}/{self.pod}").get("status") or {}
        if status.get("phase") in ("Succeeded", "Failed"):
            raise DeadlineError(f"pod {self.pod} ended at once: {status.get('message') or status['phase']}")
        return any("running" in (one.get("state") or {}) for one in status.get("containerStatuses") or [])

    def _manifest(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The member's pod, doing nothing."""
        pod = deepcopy(spec["template"]["spec"])
        container = next(
            (one for one in pod["containers"] if one["name"] == self.container), pod["containers"][0]
        )
        for probe in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "args"):
            container.pop(probe, None)
        container["command"] = ["sleep", str(_LIFE_S)]
        text = (files("stormdrill.direct") / "inside.py").read_text(encoding="utf-8")
        # A member's name stands in its environment by its pod's name; here the pod is called otherwise.
        container["env"] = [
            {"name": one["name"], "value": self.member} if one["name"] == "PATRONI_NAME" else one
            for one in container.get("env") or []
        ] + [{"name": _PROGRAM, "value": text.replace("$(", "$$(")}]
        pod["containers"] = [container]
        pod.pop("initContainers", None)
        pod["restartPolicy"] = "Never"
        pod["terminationGracePeriodSeconds"] = 1
        pod["volumes"] = [
            *(pod.get("volumes") or []),
            *(
                {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{self.member}"}}
                for name in (claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or [])
            ),
        ]
        meta = {"name": self.pod, "namespace": self.namespace, "labels": {"app": LABEL}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod}
