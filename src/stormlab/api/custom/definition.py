"""The rules of CustomResourceDefinitions themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stormlab.api.custom.jsonpath import parse
from stormlab.api.custom.kind import established
from stormlab.api.custom.structural import check_schema
from stormlab.api.jsontree import Tree, at
from stormlab.api.rules import Rules
from stormlab.api.rules.template import DNS_LABEL_RULE, LABEL_NAME
from stormlab.api.status import Cause, invalid_value, not_implemented, required, unsupported

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_KIND = re.compile(r"[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


class DefinitionRules(Rules):
    """One version, a structural schema, names that stay; more than that is refused with 501."""

    def default(self, tree: Tree) -> None:
        """Derive the names that were left out."""
        spec = tree.setdefault("spec", {})
        names = spec.setdefault("names", {})
        if "kind" in names:
            names.setdefault("singular", names["kind"].lower())
            names.setdefault("listKind", f"{names['kind']}List")
        spec.setdefault("conversion", {"strategy": "None"})

    def prepare_create(self, tree: Tree) -> None:
        """Start without conditions: nothing is accepted yet."""
        stored = [item["name"] for item in tree["spec"].get("versions", ()) if item.get("storage")]
        empty = {"plural": "", "kind": ""}
        tree["status"] = {"conditions": None, "acceptedNames": empty, "storedVersions": stored}

    def validate(self, tree: Tree) -> list[Cause]:
        """Check names, scope, version and schema; ApiError 501 for what is not built."""
        spec = tree["spec"]
        causes = [*_names(spec), *_versions(spec)]
        wanted = f"{spec['names'].get('plural', '')}.{spec.get('group', '')}"
        if tree["metadata"]["name"] != wanted:
            why = 'must be spec.names.plural+"."+spec.group'
            causes.append(invalid_value("metadata.name", tree["metadata"]["name"], why))
        return causes

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse other names and another scope for what is already served."""
        fixed: list[tuple[str, ...]] = [("group",), ("names", "plural")]
        if established(old):
            fixed += [("scope",), ("names", "kind")]
        causes = [
            invalid_value(f"spec.{'.'.join(path)}", at(tree["spec"], *path), "field is immutable")
            for path in fixed
            if at(tree["spec"], *path) != at(old["spec"], *path)
        ]
        served = [item.get("name") for item in tree["spec"].get("versions", ())]
        return causes + [
            invalid_value(f"status.storedVersions[{index}]", name, "must appear in spec.versions")
            for index, name in enumerate(at(old, "status", "storedVersions", default=[]))
            if name not in served
        ]


def _names(spec: Tree) -> Iterator[Cause]:
    group, names, scope = spec.get("group", ""), spec["names"], spec.get("scope", "")
    if not group:
        yield required("spec.group")
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    if scope not in {"Cluster", "Namespaced"}:
        yield unsupported("spec.scope", scope, ("Cluster", "Namespaced"))
    for key in ("plural", "singular", "kind", "listKind"):
        name = names.get(key, "")
        if not name:
            yield required(f"spec.names.{key}")
        elif key in {"plural", "singular"} and not LABEL_NAME.fullmatch(name):
            yield invalid_value(f"spec.names.{key}", name, DNS_LABEL_RULE)
        elif not _KIND.fullmatch(name):
            yield invalid_value(f"spec.names.{key}", name, "must be a name of letters, digits and '-'")


def _versions(spec: Tree) -> Iterator[Cause]:
    listed = spec.get("versions", [])
    if sum(bool(item.get("storage")) for item in listed) != 1:
        why = "must have exactly one version marked as storage version"
        yield invalid_value("spec.versions", "...", why)
        return
    if len(listed) > 1:
        raise not_implemented("spec.versions: the lab's API builds one version of a custom kind")
    if spec["conversion"].get("strategy") != "None":
        raise not_implemented("spec.conversion: conversion between versions is not built")
    version, path = listed[0], "spec.versions[0]"
    if not version.get("served"):
        raise not_implemented(f"{path}.served: a version that is not served is not built")
    if not LABEL_NAME.fullmatch(version.get("name", "")):
        yield invalid_value(f"{path}.name", version.get("name", ""), DNS_LABEL_RULE)
    for part in ("selectableFields", "deprecated", "deprecationWarning"):
        if version.get(part):
            raise not_implemented(f"{path}.{part}: not built by the lab's API")
    if "scale" in version.get("subresources", {}):
        raise not_implemented(f"{path}.subresources.scale: not built for custom kinds")
    schema = at(version, "schema", "openAPIV3Schema")
    if schema is None:
        yield required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    else:
        yield from check_schema(schema, f"{path}.schema.openAPIV3Schema")
    yield from _columns(version.get("additionalPrinterColumns", ()), f"{path}.additionalPrinterColumns")


def _columns(columns: list[Tree], path: str) -> Iterator[Cause]:
    for index, column in enumerate(columns):
        for key in ("name", "type", "jsonPath"):
            if not column.get(key):
                yield required(f"{path}[{index}].{key}")
        if column.get("type") and column["type"] not in _COLUMN_TYPES:
            yield unsupported(f"{path}[{index}].type", column["type"], _COLUMN_TYPES)
        if column.get("jsonPath") and parse(column["jsonPath"]) is None:
            raise not_implemented(f"{path}[{index}].jsonPath: {column['jsonPath']} is not built")
