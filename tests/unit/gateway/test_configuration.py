"""What a gateway's configuration may not say: each fault is refused, beside one that is taken."""

import pytest

from sealgate.gateway.configuration import load
from sealgate.gateway.protected import Protected
from sealgate.model.errors import ConfigurationError

SERVER = '[servers.raw]\ncommand = ["server"]\n'
OIDC = '[[oidc]]\nname = "idp"\nissuer = "https://idp.example"\njwks_file = "keys.json"\nagents = ["a1"]\n'
HERE = 'resource = "https://gate.example/mcp"\n'
TLS = 'certificate = "c.pem"\nkey = "k.pem"\n'
CLIENT = '[[identity]]\nname = "bot"\ncertificate_san = "DNS:bot.example"\nroles = ["enforce"]\n'
CONSENT = '[consent]\nkey = "file:k"\npeople = {bot = "alice"}\n'


def read(tmp_path, text):
    """Load a configuration."""
    (tmp_path / "gateway.toml").write_text(text)
    return load(tmp_path / "gateway.toml")


def test_tokens_are_for_this_gateway(tmp_path):
    """Without an audience the resource is it; paths are beside the file."""
    found = read(tmp_path, HERE + OIDC + SERVER)
    assert found.callers.oidc[0].audience == "https://gate.example/mcp"
    assert found.callers.oidc[0].jwks_file == tmp_path / "keys.json"
    protected = Protected.of(found.resource, found.callers.oidc)
    assert protected.path == "/.well-known/oauth-protected-resource/mcp"
    assert found.asks_who


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OIDC, "without a `resource`"),
        (HERE + OIDC + 'audience = "https://other.example"\n', "is not `resource`"),
        ('resource = "http://gate.example/mcp"\n' + OIDC, "`resource` is"),
        ('resource = "https://gate.example/mcp#x"\n' + OIDC, "`resource` is"),
        (HERE + OIDC + 'binding = "certificate"\n', "client certificates need TLS"),
        (HERE + TLS + OIDC + 'binding = "certificate"\n', "nobody says who issues"),
        (HERE + OIDC + 'algorithms = ["HS256"]\n', "algorithms"),
        (HERE + OIDC + 'audiences = ["x"]\n', "is not a key"),
        (CLIENT, "client certificates need TLS"),
        (TLS + CLIENT, "nobody says who issues"),
        ('[[identity]]\nname = "bot"\nuid = 7\n', "is a user of this machine"),
        ('agent = "a1"\n' + CONSENT, "nobody proves who calls"),
        ('agent = "a1"\nclient_certificate = "required"\n', "client certificates need TLS"),
        ('agent = "a1"\ncertificate = "c.pem"\n', "go together"),
        ('agent = "a1"\nminimum_tls = "1.1"\n', "minimum_tls"),
        ('agent = "a1"\nlisten = "0.0.0.0:1"\n' + TLS, "only this machine"),
        (HERE + 'listen = "0.0.0.0:1"\n' + OIDC, "in the open"),
        ('agent = "a1"\nresorce = "x"\n', "resorce"),
        ('agent = "a1"\n[callers]\n', "is not a setting"),
        ("", "nobody says who acts"),
    ],
)
def test_what_lets_in_whoever_comes_is_refused(tmp_path, text, message):
    """One fault each."""
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, text + SERVER)


@pytest.mark.parametrize(
    "text",
    [
        HERE + OIDC,
        HERE + TLS + 'client_ca = "ca.pem"\n' + OIDC + 'binding = "certificate"\n',
        TLS + 'client_ca = "ca.pem"\n' + CLIENT + CONSENT,
        HERE + TLS + 'listen = "0.0.0.0:1"\n' + OIDC,
        'agent = "a1"\n',
    ],
)
def test_what_is_whole_is_taken(tmp_path, text):
    """The positive controls."""
    assert read(tmp_path, text + SERVER).servers
