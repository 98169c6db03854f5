"""Proof that a pod's processes died: a process of ours, held in each of its containers until killed.

A force delete only takes the object out of the API; the processes were seen to live on beside their
replacement. So before the kill a shell that waits for its input is started in the container by exec. It lives in the
container's PID namespace. When PID 1 of that namespace dies the kernel kills all others in it, and the API reports
that our process was killed: exit status 137. The reverse is what we conclude: it and the victim's died together. Any
other status means that it ended by itself. Without us its input ends, and so does it: nothing of ours stays behind.

Limits: it needs the right to exec, and `sh` in the image. A container runtime that killed only exec sessions would
deceive it. A stream that breaks without an exit status (API server or node gone), or ends with a runtime's error
instead of one, proves nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from stormdrill.errors import TargetError
from stormdrill.estate import Service
from stormdrill.faults import Proof
from stormdrill.kube import ApiError, Cluster, HeldExec, PodRef

_HOLD = ("sh", "-c", "echo held; read -r line")  # `read` is the shell's own: no other program is needed
_KILLED = 137  # 128 + SIGKILL
_START_S = 10.0


@dataclass
class DeathWatch:
    """One pod under watch. `trouble` says why nothing is held in it, when nothing is."""

    cluster: Cluster
    namespace: str
    pod: PodRef
    held: dict[str, HeldExec] = field(default_factory=dict)
    trouble: str = ""

    @classmethod
    def begin(cls, cluster: Cluster, service: Service, pod: PodRef) -> DeathWatch:
        """Start a held process in every container; returns once each has shown that it runs."""
        watch = cls(cluster, service.namespace, pod)
        for container in (ref.name for ref in pod.containers):
            try:
                held = cluster.hold(service.namespace, pod.name, container, list(_HOLD))
                watch.held[container] = held
                held.first_output(_START_S)
            except TargetError as error:
                watch.trouble = f"cannot hold a process in {pod.name}/{container}: {error}"
                break
        return watch

    def prove(self, deadline_s: float) -> Proof:
        """Wait until the pod is out of the API and every held process was killed."""
        begun = time.monotonic()
        evidence: dict[str, Any] = {"pod": self.pod.name, "uid": self.pod.uid}
        try:
            if self.trouble:
                return Proof(False, self.trouble, evidence)
            for container, held in self.held.items():
                code = held.ended(max(0.1, begun + deadline_s - time.monotonic()))
                evidence[container] = {"exit": code, "after_s": round(time.monotonic() - begun, 3)}
                if code != _KILLED:
                    ended = f"ended with exit status {code}, not killed ({_KILLED})"
                    how = "was lost without an exit status" if code is None else ended
                    return Proof(False, f"the process held in {self.pod.name}/{container} {how}", evidence)
            if not self._gone():
                return Proof(False, f"{self.pod.name} ({self.pod.uid}) is still in the API", evidence)
        except TargetError as error:
            return Proof(False, f"{self.pod.name}: {error}", evidence)
        finally:
            self.close()
        return Proof(True, f"{self.pod.name}: out of the API, its processes killed", evidence)

    def close(self) -> None:
        """Let go of the streams."""
        for held in self.held.values():
            held.close()

    def _gone(self) -> bool:
        try:
            pod = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/pods/{self.pod.name}")
        except ApiError as error:
            if error.status == 404:
                return True
            raise
        return bool(pod["metadata"]["uid"] != self.pod.uid)


def prove_all(watches: list[DeathWatch], deadline_s: float) -> Proof:
    """One proof for all: it holds when each holds."""
    proofs = [watch.prove(deadline_s) for watch in watches]
    failed = [proof.why for proof in proofs if not proof.ok]
    return Proof(
        not failed,
        "; ".join(failed or [proof.why for proof in proofs]),
        {"method": "process held in each container by exec", "pods": [proof.evidence for proof in proofs]},
    )
