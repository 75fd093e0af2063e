"""What every signer and every wrapping key does, wherever the key is."""

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sealgate.adapters.keys import file
from sealgate.adapters.keys.envelope import COST_OF_RANDOM_PASSPHRASE, Purpose
from sealgate.encoding import statement
from sealgate.model.errors import AlteredError, ConfigurationError, UnavailableError

PIN = b"1234567890"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/libsofthsm2.so")


@pytest.fixture(scope="module", name="token")
def _token(tmp_path_factory):
    """A SoftHSM2 token with two signing keys and two wrapping keys; skipped by name where SoftHSM2 is not installed."""
    module = next((path for path in map(pathlib.Path, MODULES) if path.exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed")
    pkcs11 = pytest.importorskip("sealgate.adapters.keys.pkcs11", exc_type=ImportError)
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # the library reads it when it is first loaded
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "gate", "--pin", PIN.decode(), "--so-pin", "87654321"],
        check=True,
        capture_output=True,
    )
    pkcs11.generate(module, "gate", PIN, signers=["one", "two"], wrapping="kek")
    pkcs11.generate(module, "gate", PIN, signers=[], wrapping="other")
    token = pkcs11.Token(module, "gate", PIN)
    yield token
    token.close()


@pytest.fixture(scope="module", name="kms")
def _kms():
    """AWS KMS as moto emulates it, over HTTP on loopback: its address and a function that makes a key there."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    boto3 = pytest.importorskip("boto3")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        server.start()
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client("kms", region_name="eu-central-1", endpoint_url=endpoint)
        yield endpoint, lambda: client.create_key()["KeyMetadata"]["KeyId"], client
        server.stop()


def _kms_wrapping(kms, key, origin="log.example/1"):
    from sealgate.adapters.keys.kms import KmsWrappingKey

    return KmsWrappingKey(key, origin=origin, region="eu-central-1", endpoint=kms[0])


@pytest.fixture(name="wrapping", params=["file", "pkcs11", "kms"])
def _wrapping(request, tmp_path):
    """Two wrapping keys of one kind."""
    if request.param == "kms":
        kms = request.getfixturevalue("kms")
        return [_kms_wrapping(kms, kms[1]()) for _ in range(2)]
    if request.param == "pkcs11":
        token = request.getfixturevalue("token")
        from sealgate.adapters.keys.pkcs11 import Pkcs11WrappingKey

        return [Pkcs11WrappingKey(token, label) for label in ("kek", "other")]
    for name in "cd":
        created = {"created": "now", "cost": COST_OF_RANDOM_PASSPHRASE}
        file.generate(tmp_path / name, Purpose.WRAPPING, b"pw", **created)
    return [file.open_wrapping_key(tmp_path / name, b"pw") for name in "cd"]


@pytest.fixture(name="keys", params=["file", "pkcs11"])
def _keys(request, tmp_path):
    """Two signers of one kind."""
    if request.param == "pkcs11":
        token = request.getfixturevalue("token")
        from sealgate.adapters.keys.pkcs11 import Pkcs11Signer

        return [Pkcs11Signer(token, label) for label in ("one", "two")]
    for name in "ab":
        file.generate(tmp_path / name, Purpose.STATEMENT, b"pw", created="now", cost=COST_OF_RANDOM_PASSPHRASE)
    return [file.open_signer(tmp_path / name, b"pw", Purpose.STATEMENT) for name in "ab"]


@pytest.mark.parametrize("message", [b"", b"x", bytes(4096)])
def test_signatures_verify_elsewhere(keys, message):
    """An independent implementation accepts the signature, and not under the other key."""
    signer, other = keys
    signature = signer.sign(message)

    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(signature, message)
    assert signer.sign(message) == signature  # RFC 8032 signatures are deterministic
    assert other.sign(message) != signature


def test_the_key_id_is_the_statement_s(keys):
    """The key identifier is the one that statements carry, and keys differ."""
    signer, other = keys

    assert signer.key_id == statement.key_id(signer.public_key)
    assert signer.key_id != other.key_id


def test_threads_may_sign_at_once(keys):
    """Signatures made in parallel are all valid."""
    signer, _ = keys
    public_key = Ed25519PublicKey.from_public_bytes(signer.public_key)
    failed: list[Exception] = []

    def sign(number):
        try:
            for count in range(20):
                message = b"%d %d" % (number, count)
                public_key.verify(signer.sign(message), message)
        except Exception as error:  # noqa: BLE001  # whatever went wrong is the test's result
            failed.append(error)

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []


def test_wrapping_round_trip(wrapping):
    """A wrapped key opens under its own key only, and hides the key."""
    kek, other = wrapping
    secret = os.urandom(32)
    wrapped = kek.wrap(secret)

    assert len(wrapped) <= 1024
    assert kek.unwrap(wrapped) == secret
    assert secret not in wrapped
    with pytest.raises(AlteredError):
        other.unwrap(wrapped)


@pytest.mark.parametrize("position", [0, 7, 20, 39])
def test_a_changed_wrapped_key_is_found(wrapping, position):
    """One flipped bit anywhere is found, and so is another length; the key works on afterwards."""
    kek, _ = wrapping
    secret = os.urandom(32)
    wrapped = kek.wrap(secret)
    place = position * len(wrapped) // 40
    flipped = bytes(byte ^ (index == place) for index, byte in enumerate(wrapped))
    for bad in (flipped, wrapped[:-8], wrapped + bytes(8), b"", bytes(2000)):
        with pytest.raises(AlteredError):
            kek.unwrap(bad)

    assert kek.unwrap(wrapped) == secret


def test_threads_may_wrap_at_once(wrapping):
    """Keys wrapped and opened in parallel all come back."""
    kek, _ = wrapping
    secrets = [os.urandom(32) for _ in range(24)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda secret: kek.unwrap(kek.wrap(secret)), secrets)) == secrets


def test_kms_binds_a_wrapped_key_to_the_log(kms):
    """The same KMS key opens nothing for another origin, and what it did not wrap for us; its own origin it does."""
    key = kms[1]()
    wrapped = _kms_wrapping(kms, key).wrap(bytes(32))
    foreign = kms[2].encrypt(KeyId=key, Plaintext=bytes(32))["CiphertextBlob"]

    assert _kms_wrapping(kms, key).unwrap(wrapped) == bytes(32)
    with pytest.raises(AlteredError):
        _kms_wrapping(kms, key, "log.example/2").unwrap(wrapped)
    with pytest.raises(AlteredError):
        _kms_wrapping(kms, key).unwrap(foreign)


def test_a_configuration_names_the_kms_key(kms, tmp_path):
    """`keys.wrapping = "kms"` opens it without any key file, beside signing keys that are files."""
    from sealgate.adapters.configuration.sections.keys import Keys
    from sealgate.adapters.keys.keyring import Keyring

    where = {"kms_key": kms[1](), "kms_region": "eu-central-1", "kms_endpoint": kms[0]}
    ring = Keyring(Keys(directory=tmp_path, wrapping="kms", **where), tmp_path, "log.example/1")
    wrapped = ring.open_reading().wrap(bytes(32))

    assert _kms_wrapping(kms, where["kms_key"]).unwrap(wrapped) == bytes(32)
    with pytest.raises(AlteredError):
        Keyring(Keys(directory=tmp_path, wrapping="kms", **where), tmp_path, "other/1").open_reading().unwrap(wrapped)


def test_kms_that_refuses_or_is_away_is_unavailable(kms, monkeypatch):
    """An unknown key, missing credentials and an address where nobody listens say so, soon, with what to do."""
    key = kms[1]()
    wrapping = _kms_wrapping(kms, key)
    wrapped = wrapping.wrap(bytes(32))
    assert wrapping.unwrap(wrapped) == bytes(32)
    with pytest.raises(UnavailableError, match="NotFound") as unknown:
        _kms_wrapping(kms, "00000000-0000-0000-0000-000000000000").wrap(bytes(32))
    assert "keys.kms_key" in unknown.value.hint
    with pytest.raises(UnavailableError, match="decrypt"):
        _kms_wrapping(kms, "00000000-0000-0000-0000-000000000000").unwrap(wrapped)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="EndpointConnectionError"):
        _kms_wrapping(("http://127.0.0.1:9",), key).wrap(bytes(32))
    assert time.monotonic() - started < 30
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers credentials
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(UnavailableError, match="NoCredentials"):
        _kms_wrapping(kms, key).wrap(bytes(32))


def test_a_lost_session_is_opened_again(token):
    """After a close the next call logs in again."""
    from sealgate.adapters.keys.pkcs11 import Pkcs11Signer

    signer = Pkcs11Signer(token, "one")
    before = signer.sign(b"message")
    token.close()

    assert signer.sign(b"message") == before


def test_a_forked_child_opens_its_own_session(token):
    """A child may not use its parent's session; it signs with its own, and so does the parent afterwards."""
    from sealgate.adapters.keys.pkcs11 import Pkcs11Signer

    expected = Pkcs11Signer(token, "one").sign(b"message")
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from sealgate.adapters.keys.pkcs11 import Pkcs11Signer, Token\n"
        "signer = Pkcs11Signer(Token(Path(sys.argv[1]), 'gate', sys.argv[2].encode()), 'one')\n"
        "signer.sign(b'before')\n"
        "read, write = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.write(write, signer.sign(b'message')); os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert os.read(read, 64) == signer.sign(b'message')\n"
        "print(signer.sign(b'message').hex())\n"
    )
    arguments = [sys.executable, "-c", script, str(token._module), PIN.decode()]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60)

    assert bytes.fromhex(done.stdout.strip()) == expected


_TWO_TOKENS = """
import os, sys
from pathlib import Path
import pkcs11
from sealgate.adapters.keys.pkcs11 import Pkcs11Signer, Pkcs11WrappingKey, Token, generate
from sealgate.model.errors import UnavailableError

module, pin = Path(sys.argv[1]), sys.argv[2].encode()
generate(module, "bodies", pin, signers=[], wrapping="kek")
gate, bodies = Token(module, "gate", pin), Token(module, "bodies", pin)
signer, kek = Pkcs11Signer(gate, "one"), Pkcs11WrappingKey(bodies, "kek")
expected, wrapped = signer.sign(b"message"), kek.wrap(bytes(32))

def works():
    return signer.sign(b"message") == expected and kek.unwrap(wrapped) == bytes(32)

def child():
    if sys.argv[3] == "bodies first":
        assert kek.unwrap(wrapped) == bytes(32)
    assert signer.sign(b"message") == expected
    session = gate._session
    third = Pkcs11WrappingKey(Token(module, "other", pin), "kek")  # one that the parent never opened
    assert works() and third.unwrap(third.wrap(bytes(32))) == bytes(32) and works()
    assert gate._session is session  # neither of the others ended it
    pkcs11.lib(str(module)).reinitialize()  # control: what a second start would do
    try:
        signer.sign(b"message")
    except UnavailableError:
        return 0
    return 3

if (process := os.fork()) == 0:
    code = 4
    try:
        code = child()
    finally:
        os._exit(code)
assert os.waitpid(process, 0)[1] == 0
assert works()
print("both work")
"""


@pytest.mark.parametrize("order", ["signer first", "bodies first"])
def test_a_second_token_leaves_the_first_one_s_session_open(token, tmp_path, order):
    """Parent and forked child use several tokens in turn and none loses its session; a second start would end all."""
    folder = tmp_path / "hsm"
    (folder / "tokens").mkdir(parents=True)
    (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(folder / "conf")}
    options = ("--pin", PIN.decode(), "--so-pin", "87654321")
    for label in ("gate", "bodies", "other"):
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, *options]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    make = (
        "import sys; from pathlib import Path; from sealgate.adapters.keys.pkcs11 import generate\n"
        "generate(Path(sys.argv[1]), 'gate', sys.argv[2].encode(), signers=['one'], wrapping=None)\n"
        "generate(Path(sys.argv[1]), 'other', sys.argv[2].encode(), signers=[], wrapping='kek')\n"
    )
    for script in (make, _TWO_TOKENS):
        arguments = [sys.executable, "-c", script, str(token._module), PIN.decode(), order]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, env=environment)
        assert done.returncode == 0, done.stderr

    assert done.stdout == "both work\n"


def test_what_is_not_on_the_device_is_named(token):
    """A missing module, token, key or a wrong PIN is the operator's to change, and the message says which."""
    from sealgate.adapters.keys.pkcs11 import Pkcs11Signer, Token, generate

    token.close()
    for wrong, message in (
        (Token(pathlib.Path("/nowhere.so"), "gate", PIN), "module"),
        (Token(token._module, "elsewhere", PIN), "is not there"),
        (Token(token._module, "gate", b"0000"), "refuses the PIN"),
        (Token(token._module, "gate", b"\xff"), "not UTF-8"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Pkcs11Signer(wrong, "one")
    with pytest.raises(ConfigurationError, match="no key `none`"):
        Pkcs11Signer(token, "none")
    token.close()
    with pytest.raises(ConfigurationError, match="has a key `one`"):
        generate(token._module, "gate", PIN, signers=["one"], wrapping=None)
    with pytest.raises(ConfigurationError, match="is not there"):
        generate(token._module, "elsewhere", PIN, signers=["one"], wrapping=None)
    with pytest.raises(ConfigurationError, match=r"invalid ELF header|file too short"):
        generate(pathlib.Path(__file__), "gate", PIN, signers=["one"], wrapping=None)


def test_an_authority_lives_on_a_device(token, tmp_path):
    """Keys made on a device, an authority made with them, opened, and rotated to a further key of the device."""
    pin = tmp_path / "pin"
    pin.write_bytes(PIN)
    pin.chmod(0o600)
    token.close()  # this process may be logged in once only
    options = ("--pkcs11-module", str(token._module), "--pkcs11-token", "gate", "--pkcs11-pin", f"file:{pin}")
    for arguments in (
        ("keys", "generate-on-device", *options),
        ("init", str(tmp_path / "gate"), "--origin", "log.example/1", *options),
        ("keys", "generate-on-device", *options, "--label", "next"),
        ("keys", "rotate", "--config", str(tmp_path / "gate"), "--label", "next"),
        ("doctor", "--config", str(tmp_path / "gate")),
    ):
        script = "from sealgate.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, timeout=60
        )

        assert done.returncode == 0, done.stdout + done.stderr
    assert "all open (pkcs11)" in done.stdout
    assert sorted(path.name for path in (tmp_path / "gate" / "keys").glob("*.key")) == [
        "permit.key",
        "root.key",
        "token.key",
    ]
