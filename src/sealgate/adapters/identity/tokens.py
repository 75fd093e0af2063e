"""Signed tokens (RFC 7515, RFC 7519): parsed strictly, verified with a pinned issuer's key, their claims checked.

Nothing of a token is believed before its signature is, but for the names that choose by which rules it is judged: and
those rules then ask for the same names again. Every refusal has a short reason for the operator's log; it never holds
a part of the token.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from sealgate.adapters.identity.trusted_keys import KeySet
from sealgate.encoding import canonical
from sealgate.model.errors import SealgateError

MAX_TOKEN_BYTES: Final = 8192
_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_HEADER: Final = frozenset({"alg", "kid", "typ"})
"""Header members that are understood. A token that brings its own key, or asks for an extension, is refused."""

_ID_TOKEN: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
"""Claims that only ID tokens have (OpenID Connect Core): a proof for a client, never for us."""

_MAX_JTI_CHARS: Final = 256


class RefusedTokenError(SealgateError):
    """A token proves nothing; the message says why, without any of its content."""


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a token of one issuer is judged. ``types`` are the accepted ``typ``, lower case; empty text: none."""

    algorithms: frozenset[str]
    types: frozenset[str]
    audience: str
    issuer: str | None
    leeway_s: int
    max_lifetime_s: int
    require_issued_at: bool


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart; nothing is proved yet."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]
    signing_input: bytes


@dataclass(frozen=True, slots=True)
class Proven:
    """What a token proves: its claims, when it ends, what certificate it is bound to, by what it is known again."""

    claims: dict[str, Any]
    expires_s: int
    issued_s: int | None
    bound_to: bytes | None
    seen_as: bytes


def read(text: str) -> Token:
    """Take a token apart.

    Raises:
        RefusedTokenError: it is too long or malformed.
    """
    if len(text) > MAX_TOKEN_BYTES:
        raise RefusedTokenError("too long")
    parts = text.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise RefusedTokenError("malformed")
    header, claims = _object(parts[0]), _object(parts[1])
    return Token(text, header, claims, text.rpartition(".")[0].encode())


def _object(part: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = canonical.parse(raw, max_bytes=MAX_TOKEN_BYTES)
    except (ValueError, SealgateError) as error:
        raise RefusedTokenError("malformed") from error
    if not isinstance(value, dict):
        raise RefusedTokenError("malformed")
    return value


def verify(token: Token, keys: KeySet, rules: Rules, now_s: float) -> Proven:
    """Return what the token proves.

    Raises:
        RefusedTokenError: the algorithm, type, key, signature or a claim is not as the rules ask.
        KeyError: no such key is known; perhaps the issuer has a new one.
    """
    header = token.header
    algorithm, kind, key_id = header.get("alg"), header.get("typ", ""), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise RefusedTokenError("algorithm")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in rules.types:
        raise RefusedTokenError("type")
    if header.keys() - _HEADER:
        raise RefusedTokenError("header")
    if not isinstance(key_id, str):
        raise RefusedTokenError("no key is named")
    key = keys.by_id[key_id]
    if algorithm not in key.algorithms:
        raise RefusedTokenError("algorithm of another key")
    try:
        jws.deserialize_compact(token.text, key.key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError) as error:
        raise RefusedTokenError("signature") from error
    return _claims(token, rules, now_s)


def _claims(token: Token, rules: Rules, now_s: float) -> Proven:
    claims = token.claims
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise RefusedTokenError("issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not rules.audience or not isinstance(audiences, list) or rules.audience not in audiences:
        raise RefusedTokenError("audience")
    if _ID_TOKEN & claims.keys() or claims.get("typ") in {"ID", "Refresh", "Logout"}:
        raise RefusedTokenError("an ID token")
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    starts = _seconds(claims, "nbf")
    if expires is None:
        raise RefusedTokenError("no expiry")
    if now_s >= expires + rules.leeway_s:
        raise RefusedTokenError("expired")
    if max(starts or 0, issued or 0) > now_s + rules.leeway_s:
        raise RefusedTokenError("not valid yet")
    if issued is None and rules.require_issued_at:
        raise RefusedTokenError("no time of issue")
    if expires - (issued if issued is not None else now_s) > rules.max_lifetime_s:
        raise RefusedTokenError("lives too long")
    return Proven(claims, expires + rules.leeway_s, issued, _bound_to(claims), _seen_as(token))


def _seconds(claims: dict[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        if name in claims:
            raise RefusedTokenError(f"`{name}` is null")
        return None
    if type(value) is not int or value < 0:
        raise RefusedTokenError(f"`{name}` is no time")
    return value


def _bound_to(claims: dict[str, Any]) -> bytes | None:
    """Return the digest of the certificate that the token is bound to (RFC 8705 section 3.1)."""
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    thumbprint = confirmation.get("x5t#S256") if isinstance(confirmation, dict) else None
    # Bound to something that is not checked here (a DPoP key, for one) is not a bearer token.
    if not isinstance(thumbprint, str) or len(confirmation) != 1 or not re.fullmatch(r"[A-Za-z0-9_-]{43}", thumbprint):
        raise RefusedTokenError("bound to something else")
    return base64.urlsafe_b64decode(thumbprint + "=")


def _seen_as(token: Token) -> bytes:
    """Return by what a token is known again: never its signature, which for some algorithms has several forms."""
    identifier = token.claims.get("jti")
    if identifier is None:
        return hashlib.sha256(b"token\x00" + token.signing_input).digest()
    if not isinstance(identifier, str) or not 0 < len(identifier) <= _MAX_JTI_CHARS:
        raise RefusedTokenError("`jti` is malformed")
    issuer = str(token.claims.get("iss", token.claims.get("sub")))
    return hashlib.sha256(f"jti\x00{issuer}\x00{identifier}".encode()).digest()


def require_binding(proven: Proven, certificate: bytes | None, *, required: bool) -> bool:
    """Tell whether the token is bound to this connection's certificate; one bound to another is refused.

    Raises:
        RefusedTokenError: it is bound to a certificate that the connection does not prove, or unbound where it must be.
    """
    if proven.bound_to is None:
        if required:
            raise RefusedTokenError("not bound to a certificate")
        return False
    if certificate is None or not hmac.compare_digest(hashlib.sha256(certificate).digest(), proven.bound_to):
        raise RefusedTokenError("bound to another certificate")
    return True
