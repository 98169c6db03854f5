"""The API under test as bare HTTP: its address, who asks, and whom to trust."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from .conftest import Region, api_client


@dataclass(frozen=True)
class Wire:
    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext


def wire(region: Region) -> Wire:
    """Read from the kubeconfig by the Python client, client certificates and exec plugins included."""
    found = api_client(region).configuration
    tls = ssl.create_default_context(cafile=found.ssl_ca_cert or None)
    if not found.verify_ssl:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if found.cert_file:
        tls.load_cert_chain(found.cert_file, found.key_file)
    headers = {auth["key"]: auth["value"] for auth in found.auth_settings().values() if auth["value"]}
    return Wire(found.host, headers, tls)
