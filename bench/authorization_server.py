"""A small OAuth authorization server over HTTP, for tests: token exchange (RFC 8693) and revocation (RFC 7009).

It checks the subject token as a real one has to: signature by the issuer's key set, issuer, audience, expiry, type.
``generous`` makes it misbehave: it gives more than it was asked for.
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

CLIENT, SECRET = "sealgate", "client secret"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class AuthorizationServer:
    """State of the server: what it knows of its issuer, and the tokens that it gave."""

    def __init__(self, issuer: str, keys: dict[str, Any]) -> None:
        self.issuer = issuer
        self.keys: Any = KeySet.import_key_set(keys)  # type: ignore[arg-type]  # its own type of a dictionary
        self.tokens: dict[str, dict[str, Any]] = {}
        self.generous = False
        self.down = False
        self.url = ""

    def works(self, token: str) -> bool:
        """Tell whether a resource server would accept the token now."""
        known = self.tokens.get(token)
        return known is not None and known["expires"] > time.time()

    def answer(self, path: str, login: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer one request."""
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if self.down:
            return 503, {"error": "temporarily_unavailable"}
        if login != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        if path == "/revoke":
            self.tokens.pop(form.get("token", ""), None)
            return 200, {}
        return self._exchange(form)

    def _exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if form.get("grant_type") != EXCHANGE:
            return 400, {"error": "unsupported_grant_type"}
        try:
            token = jwt.decode(form["subject_token"], self.keys, algorithms=["EdDSA"])
            rules = jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": f"{self.url}/token"},
                exp={"essential": True},
            )
            rules.validate(token.claims)
        except (JoseError, KeyError, ValueError):
            return 400, {"error": "invalid_grant"}
        if token.header.get("typ") != "sealgate+jwt":
            return 400, {"error": "invalid_grant"}
        life = int(token.claims["exp"] - time.time()) + (3600 if self.generous else 0)
        given = secrets.token_urlsafe(24)
        self.tokens[given] = {"expires": time.time() + life, "sub": token.claims["sub"], "form": form}
        return 200, {
            "access_token": given,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": life,
            "scope": form.get("scope", ""),
        }


@contextmanager
def authorization_server(issuer: str, keys: dict[str, Any]) -> Iterator[AuthorizationServer]:
    """Run a server on loopback until the block ends."""
    state = AuthorizationServer(issuer, keys)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            form = {name: values[0] for name, values in parse_qs(self.rfile.read(size).decode()).items()}
            status, value = state.answer(self.path, self.headers.get("Authorization", ""), form)
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
