"""The kustomize overlays of every region, as text: what runs where, on top of the manifests in `base`.

A region's directory holds `bank` (the bank and its databases, with a directory for each zone) and `stormdrill` (what
drills need inside). Beside it lies `base`. `bases:` and `patchesStrategicMerge:` rather than their successors: Debian's
kubectl 1.20 renders with kustomize 2.0, newer ones accept both.
"""

from __future__ import annotations

from stormestate.overlays import drill, region, zone
from stormestate.overlays.text import kustomization
from stormestate.shape import Shape


def of(shape: Shape) -> dict[str, str]:
    """Content by path, such as `city1/bank/zones/city1-a/kustomization.yaml`."""
    found: dict[str, str] = {}
    for each in shape.regions:
        title = f"All of region {each.name}: the bank, and what drills need inside."
        found[f"{each.name}/kustomization.yaml"] = kustomization(title, bases=["bank", "stormdrill"])
        found |= {f"{each.name}/bank/{path}": text for path, text in region.files(shape, each).items()}
        found |= {f"{each.name}/stormdrill/{path}": text for path, text in drill.files(shape, each).items()}
        for one in each.zones:
            files = zone.files(shape, each, one)
            found |= {f"{each.name}/bank/zones/{one.name}/{path}": text for path, text in files.items()}
    return found
