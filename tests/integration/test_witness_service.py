"""``sealgate witness`` as programs, and our client against them, over loopback HTTP."""

import contextlib
import re
import subprocess
import sys
import threading

import pytest
from nacl.signing import SigningKey

from sealgate.model.errors import ForkError, UnavailableError
from sealgate.proofs import checkpoints, notes, tiles, tree
from sealgate.proofs.quorum import verify_checkpoint
from sealgate.witness.client import WitnessClient

ORIGIN = "ledger.example/acme"
LOG = SigningKey(b"\x01" * 32)
LOG_KEY = notes.VerifierKey(ORIGIN, notes.ED25519, LOG.verify_key.encode())
CLI = [sys.executable, "-c", "from sealgate.cli import main; main()", "witness"]


def _history(salt=b""):
    builder = tiles.TileBuilder()
    for number in range(20):
        builder.append(tree.leaf_hash(salt + b"%d" % number))
    store = {(tile.level, tile.index): data for tile, data in builder.take().items()}

    def read(level, index, width):
        return store[level, index][: width * 32]

    def note(size):
        point = checkpoints.Checkpoint(ORIGIN, size, tiles.root(size, read))
        return checkpoints.encode(point, [checkpoints.sign_line(LOG_KEY, LOG.sign(point.text.encode()).signature)])

    return note, lambda old, new: tiles.prove_consistency(old, new, read)


@pytest.fixture(name="witness")
def _witness(tmp_path):
    """Two serving processes over one witness directory: (their prefixes, the witness's key)."""
    folder = str(tmp_path / "w")
    made = subprocess.run([*CLI, "init", folder, "--name", "witness.example/1"], capture_output=True, check=True)
    servers, prefixes = [], []
    try:
        for _ in range(2):
            server = subprocess.Popen(
                [*CLI, "serve", folder, "--log", LOG_KEY.encode(), "--port", "0"], stderr=subprocess.PIPE, text=True
            )
            servers.append(server)
            for line in server.stderr:
                if found := re.search(r"running on (http://\S+)", line):
                    prefixes.append(found[1])
                    break
        yield prefixes, notes.parse_vkey(made.stdout.decode().strip())
    finally:
        for server in servers:
            server.terminate()
            server.wait(60)
            server.stderr.close()


@pytest.fixture(name="connect")
def _connect():
    """A maker of clients that are closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda prefix, key: stack.enter_context(contextlib.closing(WitnessClient(prefix, key, timeout_s=60)))


def test_dialogue(witness, connect):
    """Growth is cosigned over rebases by both processes; a rollback and a fork halt the client."""
    (first, second), key = witness
    note, prove = _history()
    one, two = connect(first, key), connect(second, key)

    assert one.latest(LOG_KEY) is None
    for client, size in ((one, 3), (two, 7), (one, 7), (one, 20)):
        data = checkpoints.add_lines(note(size), [client.cosign(note(size), prove)])
        assert verify_checkpoint(data, log=LOG_KEY, witnesses=[key], quorum=1).size == size
    assert two.latest(LOG_KEY).size == 20
    with pytest.raises(ForkError, match="rolled back"):
        two.cosign(note(5), prove)
    forked, prove_fork = _history(b"fork")
    with pytest.raises(ForkError):
        one.cosign(forked(20), prove_fork)


def test_two_processes_never_cosign_two_histories(witness, connect):
    """Two processes asked at once for different histories: at most one history is cosigned."""
    prefixes, key = witness
    cosigned, barrier = [], threading.Barrier(2)

    def run(number):
        note, prove = _history(b"%d" % number)
        client = connect(prefixes[number], key)
        barrier.wait()
        try:
            for size in (4, 9, 20):
                client.cosign(note(size), prove)
                cosigned.append(number)
        except ForkError:
            pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(cosigned)) == 1


def test_refusals_of_the_service(witness, connect):
    """Unknown logs, other keys and a dead witness are told as unavailable, never as a cosignature."""
    prefixes, key = witness
    note, prove = _history()
    stranger = notes.VerifierKey(key.name, key.type, SigningKey(b"\x09" * 32).verify_key.encode())

    with pytest.raises(UnavailableError, match="404"):
        connect(prefixes[0], key).cosign(note(3).replace(b"acme\n", b"acmf\n", 1), prove)
    with pytest.raises(UnavailableError, match="its key"):
        connect(prefixes[0], stranger).cosign(note(3), prove)
    with pytest.raises(UnavailableError, match="reached"):
        connect("http://127.0.0.1:9", key).cosign(note(3), prove)
    connect(prefixes[0], key).cosign(note(3), prove)


def test_init_is_once_and_serve_needs_it(tmp_path):
    """A second init and a serve without init exit 1 with a hint."""
    folder = str(tmp_path / "w")

    early = subprocess.run([*CLI, "serve", folder, "--log", LOG_KEY.encode()], capture_output=True, check=False)
    made = subprocess.run([*CLI, "init", folder, "--name", "w.example"], capture_output=True, check=False)
    again = subprocess.run([*CLI, "init", folder, "--name", "w.example"], capture_output=True, check=False)

    assert (early.returncode, made.returncode, again.returncode) == (1, 0, 1)
    assert b"retire" in early.stderr
