"""The way to the API server: from a pod and from a kubeconfig, and what is wrong with one."""

import http.server
import json
import os
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stormdrill.agent.access import in_cluster, of_kubeconfig
from stormdrill.agent.api import Api
from stormdrill.cli import main
from stormdrill.errors import InputError, TargetError

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="marks its sockets")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, private, serialization.NoEncryption()))
    return file


@pytest.fixture
def api(certificate):
    """A TLS server that answers with the token it was given; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = json.dumps({"said": self.headers.get("Authorization")}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@ROOT
def test_a_pods_account_is_read_anew_for_each_request(api, certificate, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api))
    (tmp_path / "ca.crt").write_bytes(certificate.read_bytes())
    (tmp_path / "token").write_text("first\n")
    client = Api(in_cluster(tmp_path))
    assert client.get("/x") == {"said": "Bearer first"}
    (tmp_path / "token").write_text("second\n")
    assert client.get("/x") == {"said": "Bearer second"}


@ROOT
def test_a_kubeconfig_with_files_beside_it(api, certificate, tmp_path):
    (tmp_path / "ca.crt").write_bytes(certificate.read_bytes())
    (tmp_path / "token").write_text("mine")
    config = kubeconfig(
        tmp_path, f"https://127.0.0.1:{api}", {"tokenFile": "token"}, {"certificate-authority": "ca.crt"}
    )
    assert Api(of_kubeconfig(config, "it")).get("/x") == {"said": "Bearer mine"}


@ROOT
def test_a_server_of_another_authority_is_not_believed(api, tmp_path):
    config = kubeconfig(tmp_path, f"https://127.0.0.1:{api}", {"token": "mine"})
    with pytest.raises(TargetError, match="not signed by the authority"):
        Api(of_kubeconfig(config, None)).get("/x")


def kubeconfig(directory, server, user, cluster=None):
    file = directory / "config"
    body = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "it", "user": user}],
    }
    file.write_text(json.dumps(body))
    return file


def test_what_is_wrong_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputError, match="not in a pod"):
        in_cluster(tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(InputError, match="no service account token"):
        in_cluster(tmp_path)
    config = kubeconfig(tmp_path, "https://127.0.0.1:1", {"exec": {"command": "aws"}})
    with pytest.raises(InputError, match="does not run"):
        of_kubeconfig(config, None)
    with pytest.raises(InputError, match="no 'other' in contexts"):
        of_kubeconfig(config, "other")
    with pytest.raises(InputError, match="No such file"):
        of_kubeconfig(tmp_path / "none", None)
    config.write_text("[")
    with pytest.raises(InputError, match="cannot be used as a kubeconfig"):
        of_kubeconfig(config, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "nowhere"], "not ADDRESS:PORT"),
        (["--spare", "canary"], "not LABEL=VALUE"),
        (["--context", "it"], "needs --kubeconfig"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, said, tmp_path, capsys):
    if "--context" not in arguments:
        arguments = [*arguments, "--kubeconfig", str(kubeconfig(tmp_path, "http://127.0.0.1:1", {}))]
    assert main(["agent", "--node", "n", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
