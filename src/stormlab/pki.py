"""Trust of one lab: its own CA, one server certificate, bearer tokens, a kubeconfig.

Everything lives under ``<state>/pki`` and is made once; a second call changes nothing, so that
clients which embedded the CA keep working. Files appear whole or not at all (written beside,
then renamed), because ``lab up`` may be killed at any line. The certificate follows its key last:
a certificate on disk always has its key.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stormlab import accounts

OUTSIDE_ADDRESS = "10.77.0.1"
DEFAULT_HOSTS = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    OUTSIDE_ADDRESS,
)
LIFETIME = dt.timedelta(days=3650)
"""Of what says nothing about it: longer than any lab."""
_EARLIER = dt.timedelta(days=1)
"""Valid from so long ago: the lab's clock-offset faults must not make its own API untrusted."""


def ensure(state_dir: Path | str, regions: Sequence[str], hosts: Sequence[str] = DEFAULT_HOSTS) -> None:
    """Make ``<state>/pki/{ca.crt,ca.key,api.crt,api.key,admin.token,node.token,sa.key}`` where missing.

    All regions of a lab share one CA and one certificate; ``regions`` become further DNS names
    of it (``api.<region>.local``). ``hosts`` are names or addresses the certificate is valid for.
    """
    pki = Path(state_dir) / "pki"
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("admin.token", "node.token", accounts.KEY_FILE):
        if not (pki / name).exists():
            _write(pki / name, (secrets.token_hex(24) + "\n").encode())
    if not (pki / "ca.crt").exists():
        (pki / "api.crt").unlink(missing_ok=True)  # signed by a CA that is gone
        _make_ca(pki)
    if not (pki / "api.crt").exists():
        _make_server(pki, [*hosts, *(f"api.{region}.local" for region in regions)])


def token(state_dir: Path | str, role: str) -> str:
    """Return the bearer token of ``role`` ("admin" or "node").

    Raises FileNotFoundError before :func:`ensure` ran.
    """
    return (Path(state_dir) / "pki" / f"{role}.token").read_text().strip()


def write_kubeconfig(state_dir: Path | str, ports: Mapping[str, int], role: str = "admin") -> Path:
    """Write ``<state>/kubeconfig`` with one context per region, and return its path.

    ``ports`` maps a region to its loopback port. The first region is the current context.
    """
    state = Path(state_dir)
    authority = base64.b64encode((state / "pki" / "ca.crt").read_bytes()).decode()
    names = list(ports)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": names[0] if names else "",
        "preferences": {},
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": f"https://127.0.0.1:{ports[name]}",
                    "certificate-authority-data": authority,
                },
            }
            for name in names
        ],
        "users": [{"name": role, "user": {"token": token(state, role)}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": role}} for name in names],
    }
    path = state / "kubeconfig"
    _write(path, yaml.safe_dump(config, sort_keys=False).encode())
    return path


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    beside.replace(path)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, lifetime: dt.timedelta = LIFETIME
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + lifetime)
    )


def _make_ca(pki: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name: a browser or tool that met an earlier lab's CA must not mix them up.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"stormlab CA {secrets.token_hex(4)}")])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(pki / "ca.key", _pem(key))
    _write(pki / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def issue(
    state_dir: Path | str,
    name: str,
    hosts: Sequence[str],
    lifetime: dt.timedelta = LIFETIME,
) -> tuple[str, str]:
    """Return a new certificate for `hosts` and its key, both PEM, signed by the lab's CA.

    It ends `lifetime` from now, so that less than nothing makes one that has expired.

    Raises FileNotFoundError before :func:`ensure` ran.
    """
    key, certificate = _sign(Path(state_dir) / "pki", name, hosts, lifetime)
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), _pem(key).decode()


def left(certificate: str) -> dt.timedelta:
    """How long a certificate (PEM) is good from now, less than nothing when it has expired; ValueError for none."""
    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc - dt.datetime.now(dt.UTC)


def authority(state_dir: Path | str) -> str:
    """Return the lab's CA, PEM. Raises FileNotFoundError before :func:`ensure` ran."""
    return (Path(state_dir) / "pki" / "ca.crt").read_text(encoding="ascii")


def _make_server(pki: Path, hosts: Sequence[str]) -> None:
    key, certificate = _sign(pki, "stormlab-api", hosts, LIFETIME)
    _write(pki / "api.key", _pem(key))
    _write(pki / "api.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _sign(
    pki: Path, name: str, hosts: Sequence[str], lifetime: dt.timedelta
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    authority = x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((pki / "ca.key").read_bytes(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{pki / 'ca.key'} is not a key this lab made")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(subject, authority.subject, lifetime)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return key, certificate
