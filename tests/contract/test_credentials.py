"""Every source of credentials keeps the contract of ``ports.credentials``, against its real (or emulated) backend."""

import contextlib
import dataclasses
import gc
import json
import os
import time
import uuid

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from bench import postgres_server
from bench.authorization_server import CLIENT, SECRET, authorization_server
from sealgate.adapters.credentials.tokens import TokenBackend, TokenMaker, key_set
from sealgate.adapters.keys.file import FileSigner
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.credentials import Ended, Order

pytestmark = [
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated"),  # for `Ed25519`, which few verifiers know yet
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # pg8000 after a refused login
]

ISSUER = "https://gate.example"
AUDIENCE = "https://orders.example"
SIGNER = FileSigner(os.urandom(32))


@pytest.fixture(autouse=True)
def _collect():
    """Let what a refused login left open go here, where its warning is expected."""
    yield
    gc.collect()


@dataclasses.dataclass
class World:
    """One backend, how to look whether its credential works, and what it can do."""

    backend: object
    works: object
    audience: str | None = None
    scope: tuple[str, ...] = ()
    listable: bool = False
    knows_after_restart: bool = True


def order(world, *, life_s=60, credential_id=None):
    """An order for a fresh credential."""
    now = int(time.time()) * 1000
    return Order(
        credential_id or str(uuid.uuid4()),
        "a1",
        "read_orders",
        str(uuid.uuid4()),
        "t1",
        now,
        now + life_s * 1000,
        world.audience,
        world.scope,
    )


def ended(wanted, *, issued=True):
    """What the broker says to end an order."""
    return Ended(wanted.credential_id, issued, wanted.expires_ms)


@pytest.fixture(scope="module", name="postgres")
def _postgres():
    """A running PostgreSQL server."""
    if postgres_server.binaries() is None:
        pytest.skip("PostgreSQL is not installed (scripts/servers)")
    with postgres_server.server() as running:
        yield running


@pytest.fixture(scope="module", name="aws")
def _aws():
    """STS and IAM as moto emulates them, over HTTP on loopback: address, ARN of a role, IAM client."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    url = f"http://{host}:{port}"
    iam = boto3.client("iam", endpoint_url=url)
    arn = iam.create_role(RoleName="orders", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    with contextlib.closing(boto3.client("sts", endpoint_url=url)) as sts:
        sts.get_caller_identity()  # has it loaded over there: the adapter has little patience
    yield url, arn, iam
    iam.close()
    server.stop()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def _backend_of_postgres(running):
    from sealgate.adapters.credentials.postgres import Place, PostgresBackend

    place = Place(
        str(running.folder),
        postgres_server.PORT,
        "shop",
        postgres_server.ADMIN,
        postgres_server.PASSWORD.encode,
    )
    return PostgresBackend(place, owner="test/db", grants=("select on table public.orders",))


def _works_in_postgres(running, secret):
    import pg8000

    try:
        connection = running.connect(secret.members["user"], secret.members["password"])
    except (pg8000.exceptions.DatabaseError, pg8000.exceptions.InterfaceError):  # a refused login closes the socket
        return False
    connection.run("SELECT * FROM orders")
    connection.close()
    return True


POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::orders/*"}],
}


@pytest.fixture(name="world", params=["postgres", "sts", "token_exchange", "jwt"])
def _world(request):
    """One world per kind of backend."""
    maker = TokenMaker(SIGNER, ISSUER)
    if request.param == "postgres":
        running = request.getfixturevalue("postgres")
        backend = _backend_of_postgres(running)
        yield World(backend, lambda secret: _works_in_postgres(running, secret), listable=True)
    elif request.param == "sts":
        from sealgate.adapters.credentials.sts import POLICY_NAME, StsBackend

        url, arn, iam = request.getfixturevalue("aws")
        backend = StsBackend(arn, POLICY, region="eu-central-1", endpoint=url)
        sessions = {}
        assume = backend._sts.assume_role

        def remembering(**asked):
            answer = assume(**asked)
            sessions[answer["Credentials"]["AccessKeyId"]] = asked["RoleSessionName"]
            return answer

        backend._sts.assume_role = remembering

        def works(secret):  # moto enforces no policies: what IAM would look at is looked at
            try:
                found = iam.get_role_policy(RoleName="orders", PolicyName=POLICY_NAME)["PolicyDocument"]
            except iam.exceptions.NoSuchEntityException:
                return True
            denied = found["Statement"][0]["Condition"]["StringLike"]["aws:userid"]
            return f"*:{sessions[secret.members['access_key_id']]}" not in denied

        yield World(backend, works)
        backend.close()
    elif request.param == "token_exchange":
        from sealgate.adapters.credentials.token_exchange import Endpoints, TokenExchangeBackend

        with authorization_server(ISSUER, key_set(SIGNER)) as server:
            where = Endpoints(f"{server.url}/token", f"{server.url}/revoke", CLIENT, SECRET.encode)
            backend = TokenExchangeBackend(where, maker, audiences=(AUDIENCE,), scopes=("orders:read",))
            yield World(
                backend,
                lambda secret: server.works(secret.members["access_token"]),
                AUDIENCE,
                ("orders:read",),
                knows_after_restart=False,
            )
            backend.close()
    else:
        backend, revoked = TokenBackend(maker, audiences=(AUDIENCE,), scopes=("orders:read",)), set()
        end = backend.revoke

        class Listing(TokenBackend):
            """With the list that the broker keeps for this backend."""

            def revoke(self, over):
                """List it."""
                revoked.add(over.credential_id)
                return end(over)

        def accepted(secret):
            token = jwt.decode(secret.members["token"], KeySet.import_key_set(key_set(SIGNER)), algorithms=["EdDSA"])
            rules = jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": ISSUER},
                aud={"essential": True, "value": AUDIENCE},
                exp={"essential": True},
            )
            rules.validate(token.claims)
            return token.claims["jti"] not in revoked

        yield World(
            Listing(maker, audiences=(AUDIENCE,), scopes=("orders:read",)), accepted, AUDIENCE, ("orders:read",)
        )


def test_an_issued_credential_works_until_it_is_revoked(world):
    """It works at once, shows nothing of itself, and is dead when ``revoke`` returns."""
    wanted = order(world)
    secret = world.backend.issue(wanted)
    assert world.works(secret)
    assert all(value not in repr(secret) for value in secret.members.values())

    assert world.backend.revoke(ended(wanted)) == "revoked"

    assert not world.works(secret)


def test_revoking_again_is_no_error(world):
    """Idempotent; another credential is untouched."""
    first, other = order(world), order(world)
    world.backend.issue(first)
    kept = world.backend.issue(other)
    world.backend.revoke(ended(first))

    assert world.backend.revoke(ended(first)) in ("revoked", "left_to_expire")
    assert world.works(kept)
    world.backend.revoke(ended(other))


def test_what_never_was_can_be_revoked(world):
    """A crash before the backend was asked: its id is unknown over there, or nothing can be said, and that is said."""
    result = world.backend.revoke(ended(order(world), issued=False))

    assert result == ("revoked" if world.knows_after_restart else "left_to_expire")


def test_live_lists_what_exists(world):
    """Where it can be asked: issued ones are listed, revoked ones not; elsewhere None."""
    wanted = order(world)
    world.backend.issue(wanted)
    listed = world.backend.live()
    world.backend.revoke(ended(wanted))

    if world.listable:
        assert wanted.credential_id in listed
        assert wanted.credential_id not in world.backend.live()
    else:
        assert listed is None


# PostgreSQL


def test_open_sessions_end_with_the_role(postgres):
    """A session that is open and busy is ended, and what it owned stays in the database."""
    import pg8000

    backend, wanted = _backend_of_postgres(postgres), order(World(None, None))
    secret = backend.issue(wanted)
    session = postgres.connect(secret.members["user"], secret.members["password"])
    assert session.run("SELECT note FROM orders") == [["first"]]
    session.run("CREATE TEMPORARY TABLE mine (id bigint)")

    started = time.monotonic()
    assert backend.revoke(ended(wanted)) == "revoked"

    assert time.monotonic() - started < 20
    with pytest.raises((pg8000.exceptions.InterfaceError, pg8000.exceptions.DatabaseError)):
        session.run("SELECT 1")
    assert not postgres.roles()


def test_the_role_may_do_what_is_granted_and_nothing_else(postgres):
    """Positive and negative: the table of the grant, another table, writing, making roles."""
    import pg8000

    backend, wanted = _backend_of_postgres(postgres), order(World(None, None))
    secret = backend.issue(wanted)
    session = postgres.connect(secret.members["user"], secret.members["password"])
    assert session.run("SELECT id FROM orders") == [[1]]
    for statement in ("SELECT * FROM payroll", "DELETE FROM orders", "CREATE ROLE more", "CREATE TABLE t ()"):
        with pytest.raises(pg8000.exceptions.DatabaseError, match=r"denied|permission"):
            session.run(statement)
    session.close()
    backend.revoke(ended(wanted))


def test_the_role_takes_no_login_after_its_expiry(postgres):
    """PostgreSQL itself refuses, whatever becomes of us."""
    backend = _backend_of_postgres(postgres)
    for life_s in (2, 10, 40):  # a slow machine may need longer than the shortest life to try it once
        wanted = order(World(None, None), life_s=life_s)
        secret = backend.issue(wanted)
        if worked := _works_in_postgres(postgres, secret):
            break
        assert time.time() * 1000 > wanted.expires_ms, "refused before its expiry"
        backend.revoke(ended(wanted))
    assert worked
    time.sleep(max(0.0, wanted.expires_ms / 1000 - time.time()) + 0.2)

    assert not _works_in_postgres(postgres, secret)
    backend.revoke(ended(wanted))


def test_the_password_reaches_no_log_of_the_server(postgres):
    """The server logs every statement; it never had the password."""
    backend, wanted = _backend_of_postgres(postgres), order(World(None, None))
    secret = backend.issue(wanted)
    backend.revoke(ended(wanted))

    log = (postgres.folder / "log").read_text(errors="replace")
    assert secret.members["user"] in log
    assert secret.members["password"] not in log


def test_a_failed_grant_leaves_no_role(postgres):
    """All of it or nothing; the message names PostgreSQL's code."""
    from sealgate.adapters.credentials.postgres import PostgresBackend

    whole = _backend_of_postgres(postgres)
    broken = PostgresBackend(whole._place, owner="test/db", grants=("select on table no_such_table",))
    with pytest.raises(UnavailableError, match="42P01"):
        broken.issue(order(World(None, None)))

    assert not postgres.roles()


@pytest.mark.parametrize(
    ("grant", "sql"),
    [
        ("select, insert on table shop.orders", 'SELECT, INSERT ON TABLE "shop"."orders"'),
        ('select on table "a.b"."c""d"', 'SELECT ON TABLE "a.b"."c""d"'),
        ("usage on schema shop", 'USAGE ON SCHEMA "shop"'),
        (
            "execute on function shop.total(integer, text[])",
            'EXECUTE ON FUNCTION "shop"."total"(integer, text[])',
        ),
        ("role readers", '"readers"'),
        ('role x"; DROP ROLE y; --', '"x""; DROP ROLE y; --"'),
        ("select on table o; drop table o", 'SELECT ON TABLE "o; drop table o"'),
    ],
)
def test_names_in_grants_are_quoted(grant, sql):
    """Whatever stands where a name stands becomes one quoted name."""
    from sealgate.adapters.credentials.postgres import read_grant

    assert read_grant(grant) == sql


@pytest.mark.parametrize(
    "grant",
    [
        "all on table orders",
        "select on orders",
        "usage on table orders",
        "select on table a.b.c",
        "role ",
        "execute on function f(integer); drop",
        "select on table a\nb",
        "",
    ],
)
def test_grants_that_are_not_understood_are_refused(grant):
    """Positive control above."""
    from sealgate.adapters.credentials.postgres import read_grant

    with pytest.raises(ConfigurationError):
        read_grant(grant)


# AWS


def test_the_session_policy_ends_at_the_expiry(aws):
    """STS gives 15 minutes at least; the policy that is sent denies everything from our expiry on."""
    from sealgate.adapters.credentials.sts import StsBackend

    url, arn, _ = aws
    backend, asked = StsBackend(arn, POLICY, region="eu-central-1", endpoint=url), {}
    assume = backend._sts.assume_role
    backend._sts.assume_role = lambda **members: asked.update(members) or assume(**members)
    wanted = order(World(None, None))
    backend.issue(wanted)

    statements = json.loads(asked["Policy"])["Statement"]
    assert statements[0] == POLICY["Statement"][0]
    assert statements[1]["Effect"] == "Deny"
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wanted.expires_ms // 1000))
    assert statements[1]["Condition"] == {"DateGreaterThan": {"aws:CurrentTime": expiry}}
    assert asked["DurationSeconds"] == 900
    backend.close()


def test_without_permission_to_deny_a_session_is_left_to_expire(aws):
    """The honest answer; with a deny policy it is ``revoked`` (above)."""
    from sealgate.adapters.credentials.sts import StsBackend

    url, arn, _ = aws
    backend = StsBackend(arn, POLICY, region="eu-central-1", endpoint=url, deny=False)
    wanted = order(World(None, None))
    backend.issue(wanted)

    assert backend.revoke(ended(wanted)) == "left_to_expire"
    backend.close()


# OAuth


def test_more_than_was_asked_for_is_refused():
    """A token that lives longer than its permit is not handed out, and can be revoked."""
    from sealgate.adapters.credentials.token_exchange import Endpoints, TokenExchangeBackend

    with authorization_server(ISSUER, key_set(SIGNER)) as server:
        where = Endpoints(f"{server.url}/token", f"{server.url}/revoke", CLIENT, SECRET.encode)
        backend = TokenExchangeBackend(where, TokenMaker(SIGNER, ISSUER), audiences=(AUDIENCE,), scopes=())
        world = World(backend, None, AUDIENCE)
        backend.issue(order(world))
        server.generous = True
        wanted = order(world)
        with pytest.raises(UnavailableError, match="more than"):
            backend.issue(wanted)
        assert len(server.tokens) == 2
        assert backend.revoke(ended(wanted, issued=False)) == "revoked"
        assert len(server.tokens) == 1
        backend.close()


@pytest.mark.parametrize("wrong", ["key", "issuer", "client"])
def test_the_authorization_server_checks_our_token(wrong):
    """Another key, another issuer, another client: refused; the right ones pass (contract above)."""
    from sealgate.adapters.credentials.token_exchange import Endpoints, TokenExchangeBackend

    with authorization_server(ISSUER, key_set(SIGNER)) as server:
        signer = FileSigner(os.urandom(32)) if wrong == "key" else SIGNER
        issuer = "https://other.example" if wrong == "issuer" else ISSUER
        secret = "wrong" if wrong == "client" else SECRET
        where = Endpoints(f"{server.url}/token", "", CLIENT, secret.encode)
        backend = TokenExchangeBackend(where, TokenMaker(signer, issuer), audiences=(AUDIENCE,), scopes=())
        with pytest.raises(UnavailableError, match="refused: invalid"):
            backend.issue(order(World(backend, None, AUDIENCE)))
        backend.close()


def test_tokens_are_not_sent_in_the_clear():
    """Plain HTTP is for loopback alone."""
    from sealgate.adapters.credentials.token_exchange import Endpoints, TokenExchangeBackend

    where = Endpoints("http://sso.example/token", "", CLIENT, SECRET.encode)
    with pytest.raises(ConfigurationError, match="clear"):
        TokenExchangeBackend(where, TokenMaker(SIGNER, ISSUER), audiences=(AUDIENCE,), scopes=())


# Our own tokens


def test_a_token_says_for_whom_for_what_and_how_long():
    """Claims and header, read by another implementation."""
    backend = TokenBackend(TokenMaker(SIGNER, ISSUER), audiences=(AUDIENCE,), scopes=("orders:read",))
    wanted = dataclasses.replace(
        order(World(backend, None, AUDIENCE, ("orders:read",))), confirmation={"jkt": "A" * 43}
    )
    token = backend.issue(wanted).members["token"]

    read = jwt.decode(token, KeySet.import_key_set(key_set(SIGNER)), algorithms=["EdDSA"])

    assert read.header["typ"] == "sealgate+jwt"
    assert read.claims == {
        "iss": ISSUER,
        "sub": "a1",
        "aud": AUDIENCE,
        "jti": wanted.credential_id,
        "iat": wanted.issued_ms // 1000,
        "nbf": wanted.issued_ms // 1000,
        "exp": wanted.expires_ms // 1000,
        "decision_id": wanted.decision_id,
        "tool": "read_orders",
        "task_id": "t1",
        "scope": "orders:read",
        "cnf": {"jkt": "A" * 43},
    }
