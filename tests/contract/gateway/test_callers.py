"""Who may call `sealgate mcp serve`: tokens and certificates over its HTTPS listener, and what it tells of itself."""

import http.server
import json
import signal
import ssl
import threading
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bench import identity
from bench.identity_world import AUDIENCE, DOMAIN, ISSUER, WORKLOAD, World

STATELESS = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
HEAD = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
}


def define(name, *arguments):
    """A definition."""
    schema = {"type": "object", "properties": {item: {"type": "string"} for item in arguments}}
    return {"name": name, "description": f"Does {name}.", "inputSchema": schema}


def callers(world, *more, **changed):
    """The tables of the identity benchmark's issuer, trust domains and client, as gateway.toml has them."""
    oidc = {
        "name": "idp",
        "issuer": ISSUER,
        "jwks_file": str(world.folder / "jwks.json"),
        "algorithms": ["ES256", "RS256"],
        "agents": ["a1"],
        "role_claim": "scope",
        "role_map": ["mcp:call=enforce"],
        "roles": ["enforce"],
        **changed,
    }
    domain = {"audience": AUDIENCE, "roles": ["enforce"], "agents": ["{id}"]}
    own, foreign = ("domain.json", f"{DOMAIN}/agents/*"), ("foreign.json", "evil.org/x")
    tables = [("oidc", oidc)]
    for file, pattern in (own, foreign):
        trust = {"trust_domain": pattern.partition("/")[0], "id": f"spiffe://{pattern}"}
        tables.append(("spiffe", {**trust, "bundle_file": str(world.folder / file), **domain}))
    client = {"certificate_san": "DNS:gateway-1.example.org", "agents": ["a1"], "roles": ["enforce"]}
    tables.append(("identity", {"name": "gateway", **client}))
    return "".join(
        f"[[{name}]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in (*tables, *more)
    )


@pytest.fixture(scope="module", name="world")
def _world(tmp_path_factory):
    """The issuers and certificates."""
    return World(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="module", name="start")
def _start(gate, gateways, world, tmp_path_factory):
    """Starts gateways on HTTPS; they are stopped together."""
    started = []

    def start(tables, **options):
        context = ssl.create_default_context(cafile=str(world.authority))
        given = {
            "agent": None,
            "any_definition": True,
            "certificate": str(world.server),
            "key": str(world.server),
            "client_ca": str(world.authority),
            "resource": AUDIENCE,
            **options,
        }
        tools = {"raw": [define("act", "a"), define("read", "path")]}
        folder = tmp_path_factory.mktemp("gateway")
        started.append(gateways(folder, gate.socket, tools, more=tables, tls=context, **given))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="module", name="running")
def _running(start, world):
    """A gateway with all kinds of callers."""
    return start(callers(world))


def connect(world, certificate=None, highest=ssl.TLSVersion.TLSv1_3):
    """One client; its connections prove a certificate, where one is named."""
    context = ssl.create_default_context(cafile=str(world.authority))
    context.maximum_version = highest
    if certificate:
        context.load_cert_chain(getattr(world, certificate) if isinstance(certificate, str) else certificate)
    return httpx.Client(verify=context, timeout=60, headers=HEAD)


def post(client, running, credential, method="tools/list", **params):
    """Make one request; return the answer."""
    head = {"mcp-method": method} | ({"mcp-name": params["name"]} if "name" in params else {})
    if credential is not None:
        head["authorization"] = f"Bearer {credential}"
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": STATELESS, **params}}
    return client.post(running.url, json=message, headers=head)


def status(world, running, credential, certificate=None):
    """The status that a credential gets on a new connection; 0 where there is no connection."""
    with connect(world, certificate) as client:
        try:
            return post(client, running, credential).status_code
        except httpx.TransportError:
            return 0


@pytest.mark.parametrize(("make", "certificate"), [case[1:] for case in identity.BAD], ids=[c[0] for c in identity.BAD])
def test_a_bad_credential_is_nobody(world, running, make, certificate):
    """Wrong audience, expired, foreign, unbound, algorithm-confused and the like: 401, or no connection at all."""
    assert status(world, running, make(world), certificate) in {0, 401}


@pytest.mark.parametrize(
    ("make", "certificate"), [case[1:] for case in identity.GOOD], ids=[c[0] for c in identity.GOOD]
)
def test_a_good_credential_is_somebody(world, running, make, certificate):
    """The positive controls of all those above."""
    assert status(world, running, make(world), certificate) == 200


@pytest.mark.parametrize(
    ("make", "certificate", "principal", "proof"),
    [
        (lambda world: world.access(), None, "idp:u-17", f"oidc:{ISSUER}"),
        (lambda world: world.bound(world.client), "client", "idp:u-17", f"oidc_bound:{ISSUER}"),
        (lambda world: world.jwt_svid(), None, WORKLOAD, f"spiffe_jwt:{DOMAIN}"),
        (lambda _: None, "workload", WORKLOAD, f"spiffe_x509:{DOMAIN}"),
        (lambda _: None, "client", "gateway", "mutual_tls"),
    ],
    ids=["token", "bound token", "JWT-SVID", "X.509-SVID", "certificate"],
)
def test_how_a_caller_was_proved_is_in_the_decision(gate, world, running, make, certificate, principal, proof):
    """On the gateway's word, beside its own proof; and the caller is the one it acts for."""
    with connect(world, certificate) as client:
        answer = post(client, running, make(world), "tools/call", name="read", arguments={"path": "/etc/passwd"})
    assert "result" in answer.json(), answer.text
    text = answer.json()["result"]["content"][0]["text"]
    decision = json.loads(gate.receipt(text.rpartition("Record ")[2].rstrip("."))["body"])

    assert decision["asked_by"] == {"principal": principal, "proof": proof}
    assert decision["agent"]["on_behalf_of"] == [principal]
    assert decision["agent"]["proof"] == "unix_peer"
    assert decision["agent"]["id"] == (WORKLOAD if principal == WORKLOAD else "a1")


def test_a_copied_token_and_an_unbound_one(start, world, running):
    """A copy on another connection is nobody, unless it is bound; where binding is asked, unbound is nobody."""
    token, bound = world.access(), world.bound(world.client)
    assert [status(world, running, token) for _ in range(2)] == [200, 401]
    assert [status(world, running, bound, "client") for _ in range(2)] == [200, 200]
    strict = start(callers(world, binding="certificate"))
    assert status(world, strict, world.access(), "client") == 401
    assert status(world, strict, world.bound(world.client), "client") == 200
    with connect(world) as client:
        metadata = client.get(strict.url.replace("/mcp", "/.well-known/oauth-protected-resource")).json()
    assert metadata["tls_client_certificate_bound_access_tokens"] is True


def test_refusals_say_where_the_metadata_is_and_what_is_missing(start, world, running):
    """401 with and without a token, 403 `insufficient_scope`; the metadata names issuer and scopes (RFC 9728)."""
    address = f'resource_metadata="{AUDIENCE}/.well-known/oauth-protected-resource"'
    with connect(world) as client:
        nothing = post(client, running, None)
        wrong = post(client, running, world.access(aud="https://other.example"))
        metadata = client.get(running.url.replace("/mcp", "/.well-known/oauth-protected-resource"))
        assert client.get(running.url.replace("/mcp", "/.well-known/other")).status_code == 404
        foreign = client.get(str(metadata.url), headers={"host": "evil.example"})
        changed = client.post(str(metadata.url))

    assert (nothing.status_code, wrong.status_code) == (401, 401)
    assert nothing.headers["www-authenticate"] == f'Bearer scope="mcp:call", {address}'
    assert wrong.headers["www-authenticate"] == f'Bearer error="invalid_token", scope="mcp:call", {address}'
    assert metadata.json() == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
        "resource_name": "Sealgate MCP gateway",
        "scopes_supported": ["mcp:call"],
    }
    assert (foreign.status_code, changed.status_code) == (403, 405)
    scoped = start(callers(world, roles=[]))
    with connect(world) as client:
        less = post(client, scoped, world.access(scope="mcp:list"))
    assert less.status_code == 403
    assert less.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="mcp:call", {address}'
    assert status(world, scoped, world.access(scope="mcp:list mcp:call")) == 200


def test_tls_has_the_authoritys_floor_and_certificates_are_read_again(world, start, tmp_path):
    """1.2 finds no one; after SIGHUP the new certificate is shown, and bad files change nothing."""
    pair = tmp_path / "pair.pem"
    pair.write_bytes(world.server.read_bytes())
    pair.chmod(0o600)
    running = start(callers(world), certificate=str(pair), key=str(pair))
    with connect(world, highest=ssl.TLSVersion.TLSv1_2) as client, pytest.raises(httpx.ConnectError):
        post(client, running, world.access())
    before = ssl.get_server_certificate(("localhost", running.port))
    for content, changes in ((b"nonsense", False), (world.other.read_bytes(), True)):
        pair.write_bytes(content)
        running.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + (60 if changes else 1)
        while (now := ssl.get_server_certificate(("localhost", running.port))) == before and time.monotonic() < until:
            time.sleep(0.05)
        assert (now != before) == changes


class Issuing(http.server.BaseHTTPRequestHandler):
    """An authorization server over HTTPS: its metadata, its keys, tokens for the resource that was asked for."""

    world: World
    url = ""

    def do_GET(self) -> None:
        """Metadata (RFC 8414) and keys."""
        if self.path == "/.well-known/oauth-authorization-server":
            self._say(200, {"issuer": self.url, "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/jwks"})
        else:
            self._say(200, json.loads((self.world.folder / "jwks.json").read_text()))

    def do_POST(self) -> None:
        """Client credentials (RFC 6749 section 4.4) with a resource indicator (RFC 8707)."""
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        if form.get("client_secret") != ["s3cret"]:
            self._say(401, {"error": "invalid_client"})
            return
        given = {"iss": self.url, "aud": form["resource"][0], "sub": form["client_id"][0], "scope": form["scope"][0]}
        self._say(200, {"access_token": self.world.access(**given), "token_type": "Bearer", "expires_in": 300})

    def _say(self, code: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(name="issuer")
def _issuer(world):
    """A running authorization server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuing)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.server)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Issuing.world, Issuing.url = world, f"https://localhost:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Issuing.url
    server.shutdown()
    server.server_close()


class Upstream(http.server.BaseHTTPRequestHandler):
    """An MCP server over HTTP that keeps the headers it gets."""

    seen: list[dict[str, str]] = []  # noqa: RUF012  # one per test run

    def do_POST(self) -> None:
        """Answer a list or a call."""
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        result = {"resultType": "complete"}
        result |= {"tools": [define("act", "a")]} if asked["method"] == "tools/list" else {"content": []}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_a_client_finds_its_way_from_401_to_a_call_and_its_token_goes_no_further(start, world, issuer, tmp_path):
    """Challenge, metadata, authorization server, token for this resource, call; the server gets our secret alone."""
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    secret = tmp_path / "secret"
    secret.write_text("ours")
    secret.chmod(0o600)
    keys = {"jwks_url": f"{issuer}/jwks", "ca": str(world.authority)}
    table = {"name": "as", "issuer": issuer, **keys, "agents": ["a1"], "role_claim": "scope"}
    far = {"url": f"http://127.0.0.1:{upstream.server_port}/mcp", "bearer": f"file:{secret}"}
    tables = [("[[oidc]]", {**table, "role_map": ["mcp:call=enforce"], "replay": "allow"}), ("[servers.far]", far)]
    text = "".join(
        f"{name}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in members.items())
        for name, members in tables
    )
    running = start(text, client_ca=None, resource="https://localhost/mcp")
    with connect(world) as client:
        challenge = post(client, running, None).headers["www-authenticate"]
        where = challenge.partition('resource_metadata="')[2].rstrip('"')
        scope = challenge.partition('scope="')[2].partition('"')[0]
        assert where == "https://localhost/.well-known/oauth-protected-resource/mcp"
        told = client.get(f"https://localhost:{running.port}{urlsplit(where).path}").json()
        server = client.get(f"{told['authorization_servers'][0]}/.well-known/oauth-authorization-server").json()
        form = {"grant_type": "client_credentials", "client_id": "c1", "client_secret": "s3cret", "scope": scope}
        token = client.post(server["token_endpoint"], data=form | {"resource": told["resource"]}).json()["access_token"]
        other = client.post(server["token_endpoint"], data=form | {"resource": "https://other/mcp"}).json()[
            "access_token"
        ]
        until = time.monotonic() + 60  # the keys are fetched in the background
        while (first := post(client, running, token)).status_code == 401 and time.monotonic() < until:
            time.sleep(0.1)
        assert first.status_code == 200
        assert post(client, running, other).status_code == 401
        answer = post(client, running, token, "tools/call", name="far___act", arguments={"a": "x"})
    upstream.shutdown()
    upstream.server_close()

    assert "far___act" in [item["name"] for item in first.json()["result"]["tools"]]
    assert answer.status_code == 200
    assert {seen["authorization"] for seen in Upstream.seen} == {"Bearer ours"}
    assert token not in json.dumps(Upstream.seen)
