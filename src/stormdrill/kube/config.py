"""Kubeconfig to a configured client, without touching the library's process-wide defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException, list_kube_config_contexts, new_client_from_config
from urllib3 import Retry

from stormdrill.content.problems import unknown
from stormdrill.errors import InputError


@dataclass(frozen=True)
class Access:
    """A way into one cluster: the context, its server's URL and the library's client."""

    context: str
    server: str
    client: ApiClient

    def authorization(self) -> dict[str, str]:
        """The headers that say who we are, fresh (tokens of exec plugins are renewed)."""
        headers: dict[str, str] = {}
        self.client.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        return headers


def kubeconfig_path(kubeconfig: Path | None) -> str:
    """The file(s) that will be read: the argument, else `$KUBECONFIG`, else `~/.kube/config`."""
    if kubeconfig is not None:
        return str(kubeconfig)
    return os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())


def contexts(kubeconfig: Path | None) -> list[str]:
    """Names of the contexts there are. InputError when the file is missing or is no kubeconfig."""
    where = kubeconfig_path(kubeconfig)
    if not any(Path(part).is_file() for part in where.split(os.pathsep) if part):
        raise InputError(f"no kubeconfig at {where} (give one with --kubeconfig or $KUBECONFIG)")
    try:
        found, _ = list_kube_config_contexts(config_file=where)
    except (ConfigException, yaml.YAMLError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise InputError(f"{where}: not a kubeconfig: {_first_line(error)}") from None
    except OSError as error:
        raise InputError(f"{where}: {error.strerror}") from None
    return [str(context["name"]) for context in found or []]


def read_access(kubeconfig: Path | None, context: str) -> Access:
    """A client for `context`; no call is made. InputError when it does not exist or is incomplete."""
    known = contexts(kubeconfig)
    where = kubeconfig_path(kubeconfig)
    if context not in known:
        listed = ", ".join(known) or "none"
        raise InputError(f"{where}: {unknown('context', context, known)}; contexts: {listed}")
    configuration = type.__call__(Configuration)
    # A retry hides an outage and delays an abort; whoever wants another try says so.
    configuration.retries = Retry(0, read=False)
    try:
        client = new_client_from_config(
            where, context, persist_config=False, client_configuration=configuration
        )
    except (ConfigException, OSError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise InputError(f"{where}: context '{context}' cannot be used: {_first_line(error)}") from None
    return Access(context, str(configuration.host).rstrip("/"), client)


def _first_line(error: Any) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
