"""What calls may use besides their own arguments: the estate, and where secrets are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stormdrill.credential import resolve
from stormdrill.errors import InputError
from stormdrill.estate import Topology
from stormdrill.estate_secrets import Credential

if TYPE_CHECKING:
    from stormdrill.prometheus import Prometheus


@dataclass(frozen=True)
class Surroundings:
    """`topology` is None when the runbook names none; `base` is where commands run and files are looked for."""

    base: Path
    topology: Topology | None = None
    kubeconfig: Path | None = None

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

    def secret(self, credential: Credential | None) -> str | None:
        """What a credential stands for, asked of its region's cluster where it is kept there."""
        from stormdrill.kube import Cluster  # noqa: PLC0415 - `runbook check` needs no Kubernetes client

        def cluster_of(region: str) -> Cluster:
            regions = self.estate("a secret of a region").regions
            if region not in regions:
                raise InputError(f"the topology has no region {region}")
            return Cluster.connect(self.kubeconfig, regions[region].context)

        return resolve(credential, cluster_of)

    def environment(self) -> Mapping[str, str]:
        """What commands see beyond the environment we were started in."""
        return {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}
