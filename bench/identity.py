"""Every bad credential that we know of, over the real HTTPS listener: none may be accepted; every good one must be.

Bar: 0 bad credentials accepted, 0 good ones refused.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness import Options, Result, percentile
from bench.identity_world import AUDIENCE, DOMAIN, ISSUER, WORKLOAD, Caller, World, b64, token

Make = Callable[[World], str | None]
Case = tuple[str, Make, str]
"""What it is, the credential, the client certificate (an attribute of the world) or nothing."""


def _now() -> int:
    return int(time.time())


def _raw(text: bytes) -> Make:
    return lambda world: token({"alg": "ES256", "kid": "e1", "typ": "at+jwt"}, text, world.ec.sign)


def _in(seconds: float) -> Callable[[], float]:
    """Return a time of the moment when the token is made: cases are written long before they are tried."""
    return lambda: _now() + seconds


def _made(changed: dict[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in changed.items()}


def _access(**changed: Any) -> Make:
    return lambda world: world.access(**_made(changed))


def _header(**header: Any) -> Make:
    return lambda world: world.access(header=header)


def _svid(**changed: Any) -> Make:
    return lambda world: world.jwt_svid(**_made(changed))


GOOD: tuple[Case, ...] = (
    ("access token, ES256", _access(), ""),
    ("access token, RS256", lambda world: world.access(world.rsa), ""),
    ("access token with several audiences", _access(aud=["https://other.example", AUDIENCE]), ""),
    ("bound token on its connection", lambda world: world.bound(world.client), "client"),
    ("unbound token beside a certificate", _access(), "client"),
    ("client certificate", lambda _: None, "client"),
    ("JWT-SVID", _svid(), ""),
    (
        "JWT-SVID bound to the X.509-SVID",
        lambda world: world.jwt_svid(cnf={"x5t#S256": world.thumbprint(world.workload)}),
        "workload",
    ),
    ("X.509-SVID", lambda _: None, "workload"),
)

BAD: tuple[Case, ...] = (
    ("nothing", lambda _: None, ""),
    ("wrong audience", _access(aud="https://other.example"), ""),
    ("audience as a prefix", _access(aud=AUDIENCE + "/x"), ""),
    ("no audience", _access(aud=None), ""),
    ("empty audience", _access(aud=[]), ""),
    ("audience as an object", _access(aud={AUDIENCE: 1}), ""),
    ("wrong issuer", _access(iss="https://idp.example.com"), ""),
    ("issuer with a slash", _access(iss=ISSUER + "/"), ""),
    ("no issuer", _access(iss=None), ""),
    ("expired", _access(exp=_in(-60), iat=_in(-300), nbf=_in(-300)), ""),
    ("no expiry", _access(exp=None), ""),
    ("expiry as text", _access(exp="9999999999"), ""),
    ("expiry as a fraction", _access(exp=_in(100.5)), ""),
    ("expiry null", _raw(b'{"iss":"' + ISSUER.encode() + b'","aud":"' + AUDIENCE.encode() + b'","exp":null}'), ""),
    ("lives too long", _access(exp=_in(90_000)), ""),
    ("not valid yet", _access(nbf=_in(600)), ""),
    ("issued in the future", _access(iat=_in(600)), ""),
    ("no time of issue", _access(iat=None), ""),
    ("no subject", _access(sub=None), ""),
    ("subject of another type", _access(sub=["u-17"]), ""),
    ("subject with control characters", _access(sub="u\n17"), ""),
    (
        "algorithm none",
        lambda world: token({"alg": "none", "kid": "e1", "typ": "at+jwt"}, world.claims(), lambda _: b"x"),
        "",
    ),
    (
        "algorithm none, no signature",
        lambda world: token({"alg": "none", "kid": "e1", "typ": "at+jwt"}, world.claims(), lambda _: b""),
        "",
    ),
    (
        "algorithm nOnE",
        lambda world: token({"alg": "nOnE", "kid": "e1", "typ": "at+jwt"}, world.claims(), lambda _: b"x"),
        "",
    ),
    ("HS256 with the public key", lambda world: world.hmac_with_public_key(), ""),
    ("RS256 said, ES256 key", _header(alg="RS256"), ""),
    ("ES256 said, RSA key", lambda world: world.access(world.rsa, {"alg": "ES256"}), ""),
    ("PS256, not pinned", lambda world: world.access(world.rsa, {"alg": "PS256"}), ""),
    ("ES384 said", _header(alg="ES384"), ""),
    ("algorithm as a list", _header(alg=["ES256"]), ""),
    ("no algorithm", _header(alg=None), ""),
    ("wrong key of the right id", lambda world: world.access(world.stranger), ""),
    ("unknown key id", _header(kid="nobody"), ""),
    ("key id of the other key", _header(kid="r1"), ""),
    ("key id as a number", _header(kid=1), ""),
    ("no key id", _header(kid=None), ""),
    ("its own key in the header", lambda world: world.access(world.stranger, {"jwk": world.stranger.jwk()}), ""),
    ("address of its key in the header", _header(jku="https://evil.example/jwks"), ""),
    ("certificate chain in the header", _header(x5c=["AAAA"]), ""),
    ("critical extension", _header(crit=["b64"], b64=False), ""),
    ("type of an ID token", _header(typ="JWT"), ""),
    ("no type", _header(typ=None), ""),
    ("type of a logout token", _header(typ="logout+jwt"), ""),
    ("ID token by its claims", _access(nonce="n"), ""),
    ("refresh token by its claims", _access(typ="Refresh"), ""),
    ("changed claims", lambda world: _with_claims(world, "admin"), ""),
    ("no signature", lambda world: world.access().rpartition(".")[0] + ".", ""),
    ("two parts", lambda world: world.access().rpartition(".")[0], ""),
    ("four parts", lambda world: world.access() + ".AAAA", ""),
    ("five parts, as if encrypted", lambda world: world.access() + ".AAAA.AAAA", ""),
    ("padding", lambda world: world.access() + "==", ""),
    ("not base64", lambda _: "ey!.ey!.ey!", ""),
    ("not JSON", _raw(b"ey"), ""),
    ("claims as a list", _raw(b"[]"), ""),
    (
        "a claim twice",
        _raw(json.dumps({"iss": ISSUER, "aud": "x"}).encode()[:-1] + b',"aud":"' + AUDIENCE.encode() + b'"}'),
        "",
    ),
    ("oversized", _access(filler="x" * 9000), ""),
    ("deeply nested", _raw(b'{"a":' * 40 + b"1" + b"}" * 40), ""),
    ("bound, no certificate", lambda world: world.bound(world.client), ""),
    ("bound to another certificate", lambda world: world.bound(world.client), "other"),
    ("bound to a key (DPoP)", _access(cnf={"jkt": "x" * 43}), "client"),
    (
        "bound twice",
        lambda world: world.access(cnf={"x5t#S256": world.thumbprint(world.client), "jkt": "x" * 43}),
        "client",
    ),
    ("bound to nothing", _access(cnf={}), "client"),
    ("confirmation null", _access(cnf=[]), "client"),
    ("bad token beside a good certificate", _access(aud="https://other.example"), "client"),
    ("JWT-SVID of a foreign domain", _svid(sub="spiffe://evil.example/agents/billing"), ""),
    ("JWT-SVID of a configured domain, our key", _svid(sub="spiffe://evil.org/x"), ""),
    ("JWT-SVID, other workload", _svid(sub=f"spiffe://{DOMAIN}/other/thing"), ""),
    ("JWT-SVID, path walked up", _svid(sub=f"spiffe://{DOMAIN}/agents/../other"), ""),
    ("JWT-SVID, upper case", _svid(sub="SPIFFE://example.org/agents/billing"), ""),
    ("JWT-SVID, empty path", _svid(sub=f"spiffe://{DOMAIN}"), ""),
    ("JWT-SVID, wrong audience", _svid(aud=["x"]), ""),
    ("JWT-SVID, no expiry", _svid(exp=None), ""),
    ("JWT-SVID, expired", _svid(exp=_in(-60), iat=_in(-300)), ""),
    ("JWT-SVID, lives too long", _svid(exp=_in(90_000), iat=None), ""),
    ("JWT-SVID, type of an access token", lambda world: world.jwt_svid(header={"typ": "at+jwt"}), ""),
    ("JWT-SVID by a key that is not for them", lambda world: world.jwt_svid(world.retired), ""),
    ("JWT-SVID by the issuer's key", lambda world: world.jwt_svid(world.ec), ""),
    ("ID token as an SVID", lambda world: world.access(sub=WORKLOAD), ""),
    ("SVID as an access token", lambda world: world.jwt_svid(sub="u-17", iss=ISSUER), ""),
    (
        "JWT-SVID bound to another certificate",
        lambda world: world.jwt_svid(cnf={"x5t#S256": world.thumbprint(world.client)}),
        "workload",
    ),
    ("X.509-SVID of another domain's authority", lambda _: None, "crossed"),
    ("X.509-SVID of our own clients' authority", lambda _: None, "fake_svid"),
    ("X.509-SVID without an entry", lambda _: None, "unnamed"),
    ("X.509-SVID with two ids", lambda _: None, "two_ids"),
    ("X.509-SVID that may sign", lambda _: None, "signing"),
    ("our names by a trust domain's authority", lambda _: None, "disguised"),
    ("client certificate without an entry", lambda _: None, "other"),
    ("malformed API key", lambda _: "sg_0_0", ""),
)


def _with_claims(world: World, subject: str) -> str:
    head, _, signature = world.access().split(".")
    return f"{head}.{b64(json.dumps(world.claims(sub=subject)).encode())}.{signature}"


def ask(world: World, port: int, credential: str | None, certificate: str) -> int:
    """Return the status that a credential gets on a connection of its own."""
    caller = Caller(world, port, getattr(world, certificate) if certificate else None)
    try:
        return caller.ask(credential)
    finally:
        caller.close()


def replays(world: World, port: int, credential: str, certificate: str = "") -> tuple[int, int, int]:
    """Return what a token gets first, again on its connection, and on another one while the first is open."""
    first = Caller(world, port, getattr(world, certificate) if certificate else None)
    second = Caller(world, port, getattr(world, certificate) if certificate else None)
    try:
        return first.ask(credential), first.ask(credential), second.ask(credential)
    finally:
        first.close()
        second.close()


def run(options: Options) -> Result:
    """Show every credential to the listener."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        accepted, refused = [], []
        with world.serving() as port:
            accepted += [name for name, make, certificate in BAD if ask(world, port, make(world), certificate) == 200]
            refused += [name for name, make, certificate in GOOD if ask(world, port, make(world), certificate) != 200]
            for name, made, expected in (
                ("replayed access token", world.access(), (200, 200, 401)),
                ("replayed token without an id", world.access(jti=None), (200, 200, 401)),
                ("replayed JWT-SVID", world.jwt_svid(exp=_now() + 250), (200, 200, 401)),
            ):
                (accepted if replays(world, port, made) != expected else []).append(name)
            again = replays(world, port, world.bound(world.client), "client")
            (refused if again != (200, 200, 200) else []).append("bound token on a second connection of its holder")
            waits = _repeated(world, port, options)
        with world.serving(replay="once") as port:
            (accepted if replays(world, port, world.access()) != (200, 401, 401) else []).append("used twice")
        with world.serving(binding="certificate") as port:
            (accepted if ask(world, port, world.access(), "client") == 200 else []).append(
                "unbound where binding is asked"
            )
            (refused if ask(world, port, world.bound(world.client), "client") != 200 else []).append("bound, asked")
    missed = [f"accepted: {name}" for name in accepted] + [f"refused: {name}" for name in refused]
    return Result(
        "identity",
        {
            "bad_credentials": len(BAD) + 5,
            "bad_accepted": len(accepted),
            "good_credentials": len(GOOD) + 2,
            "good_refused": len(refused),
            "request_with_known_token_p50_us": round(percentile(waits, 0.5) * 1e6, 1),
        },
        runs=len(BAD) + len(GOOD) + 7 + len(waits),
        measured_on="HTTPS listener (TLS 1.3) over an in-memory authority, clients on the same machine",
        missed=missed,
    )


def _repeated(world: World, port: int, options: Options) -> list[float]:
    caller, credential, waits = Caller(world, port), world.access(), []
    ends = time.perf_counter() + min(options.seconds / 4, 2)
    try:
        while (began := time.perf_counter()) < ends:
            caller.ask(credential)
            waits.append(time.perf_counter() - began)
    finally:
        caller.close()
    return sorted(waits)
