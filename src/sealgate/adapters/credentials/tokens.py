"""Our own tokens: JSON Web Tokens (RFC 7519) for one audience, signed with Ed25519 (RFC 8037), for tools that verify.

A tool fetches the key set (``/.well-known/jwks.json``), checks signature, ``iss``, ``aud``, ``exp``, and looks for the
token's ``jti`` on the list of revoked ones (``/v1/tokens/revoked``), which it fetches every second or two. A token that
carries ``cnf`` counts only together with a proof of that key (RFC 7800).
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from sealgate.encoding import canonical
from sealgate.model.credentials import Result
from sealgate.model.errors import UnavailableError
from sealgate.ports.credentials import Ended, Order, Secret
from sealgate.ports.signer import Signer

ALGORITHM: Final = "EdDSA"
TYPE: Final = "sealgate+jwt"
"""Explicit typing (RFC 8725 section 3.11): no other kind of token passes for one of these, nor the other way round."""


def jwk(signer: Signer) -> dict[str, str]:
    """Return the public key as a JSON Web Key; ``kid`` is its RFC 7638 thumbprint."""
    members: dict[str, canonical.Json] = {"crv": "Ed25519", "kty": "OKP", "x": base64url(signer.public_key)}
    thumbprint = base64url(canonical.sha256(canonical.encode_arguments(members)))
    return {
        "crv": "Ed25519",
        "kty": "OKP",
        "x": base64url(signer.public_key),
        "alg": ALGORITHM,
        "use": "sig",
        "kid": thumbprint,
    }


def key_set(signer: Signer | None) -> dict[str, Any]:
    """Return the JSON Web Key Set (RFC 7517)."""
    return {"keys": [] if signer is None else [jwk(signer)]}


class TokenMaker:
    """Signs tokens of one issuer."""

    def __init__(self, signer: Signer, issuer: str) -> None:
        self._signer = signer
        self._issuer = issuer
        head = {"alg": ALGORITHM, "kid": jwk(signer)["kid"], "typ": TYPE}
        self._head = base64url(orjson.dumps(head))

    def sign(self, order: Order, audience: str, scope: tuple[str, ...], more: Mapping[str, Any]) -> str:
        """Return the compact form of a token for ``order``."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": order.agent,
            "aud": audience,
            "jti": order.credential_id,
            "iat": order.issued_ms // 1000,
            "nbf": order.issued_ms // 1000,
            "exp": order.expires_ms // 1000,
            "decision_id": order.decision_id,
            "tool": order.tool,
            **more,
        }
        if scope:
            claims["scope"] = " ".join(scope)
        if order.task_id is not None:
            claims["task_id"] = order.task_id
        signed = f"{self._head}.{base64url(orjson.dumps(claims))}"
        return f"{signed}.{base64url(self._signer.sign(signed.encode()))}"


class TokenBackend:
    """Hands out our own tokens (ports.credentials.CredentialBackend). It needs no other system."""

    kind: Final = "jwt"

    def __init__(self, maker: TokenMaker, *, audiences: tuple[str, ...], scopes: tuple[str, ...] = ()) -> None:
        self._maker = maker
        self.audiences = audiences
        self.scopes = scopes

    def issue(self, order: Order) -> Secret:
        """Sign a token."""
        if order.audience is None:
            raise UnavailableError("a token needs an audience", hint="set `audiences` of this `[[credential]]`")
        more = {} if order.confirmation is None else {"cnf": dict(order.confirmation)}
        return Secret({"token": self._maker.sign(order, order.audience, order.scope, more)})

    def revoke(self, ended: Ended) -> Result:
        """Nothing is left to do: the broker's list of revoked tokens has it already."""
        del ended
        return "revoked"

    def live(self) -> list[str] | None:
        """Tokens exist only with who holds them."""
        return None

    def close(self) -> None:
        """Nothing is open."""


def base64url(data: bytes) -> str:
    """Return unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
