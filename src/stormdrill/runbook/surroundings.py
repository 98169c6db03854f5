"""What calls may use besides their own arguments: the estate, and where secrets are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stormdrill.credential import resolve
from stormdrill.errors import InputError
from stormdrill.estate import Topology
from stormdrill.estate_secrets import Credential

if TYPE_CHECKING:
    from stormdrill.kube import Cluster
    from stormdrill.prometheus import Prometheus


@dataclass(frozen=True)
class Surroundings:
    """`topology` is None when the runbook names none; `base` is where commands run and files are looked for.

    `kept` is where the run is kept. `actor` acts, as events and fences name them, and `tell` appends to the history.
    `check` raises Leave, between two parts of a longer act, when somebody wants to leave.
    """

    base: Path
    topology: Topology | None = None
    kubeconfig: Path | None = None
    kept: Path | None = None
    actor: str = "runbook"
    tell: Callable[..., object] = lambda *_, **__: None
    check: Callable[[], None] = lambda: None

    def estate(self, wanted: str) -> Topology:
        """The topology; InputError when `wanted` needs one and there is none."""
        if self.topology is None:
            raise InputError(f"{wanted} needs a topology: name one in the runbook or with --topology")
        return self.topology

    def prometheus(self, url: str | None) -> Prometheus:
        """The server at `url`, or else the estate's."""
        from stormdrill.prometheus import Prometheus  # noqa: PLC0415 - `runbook check` needs no client

        if url is not None:
            return Prometheus(url)
        source = self.estate("promql without a url").prometheus
        return Prometheus(source.url, source.timeout_s, self.secret(source.bearer))

    def cluster(self, region: str) -> Cluster:
        """The API of one of the estate's regions."""
        from stormdrill.kube import Cluster  # noqa: PLC0415 - as above

        regions = self.estate("a region's API").regions
        if region not in regions:
            raise InputError(f"the topology has no region {region}")
        return Cluster.connect(self.kubeconfig, regions[region].context)

    def secret(self, credential: Credential | None) -> str | None:
        """What a credential stands for, asked of its region's cluster where it is kept there."""
        return resolve(credential, self.cluster)

    def environment(self) -> Mapping[str, str]:
        """What commands see beyond the environment we were started in."""
        return {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}
