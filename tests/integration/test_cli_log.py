"""``sealgate log`` on a real directory."""

import json

import pytest
from click.testing import CliRunner

from bench.ledger_world import LOG_KEY, ORIGIN, Producer, make, open_world
from sealgate.cli.log import command
from sealgate.model.errors import ConfigurationError


@pytest.fixture(scope="module", name="data")
def _data(tmp_path_factory):
    """A data directory with 700 records."""
    data = tmp_path_factory.mktemp("data")
    make(data)
    world, producer = open_world(data), Producer()
    for number in range(700):
        world.journal.append(producer.record(number), lambda _: None)
    world.journal._on_writer(lambda: None)
    world.ledger.step()
    world.close()
    return data


def run(*arguments):
    """Run the command; return its exit status and its JSON."""
    result = CliRunner().invoke(command, [*map(str, arguments), "--json"], catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


def test_fsck_with_and_without_a_key(data):
    """A whole log passes; without a key the answer says that no signature was checked."""
    status, answer = run("fsck", data, "--key", LOG_KEY.encode())
    assert (status, answer["size"], answer["signature"]) == (0, 700, "verified")
    status, answer = run("fsck", data / "log")
    assert (status, answer["statements"]) == (0, 700)
    assert answer["signature"].startswith("not checked")


def test_a_flipped_byte_is_found_and_named(data, tmp_path):
    """A flip ends fsck with status 1 and names the record."""
    assert run("export", data, tmp_path / "out")[0] == 0
    victim = tmp_path / "out" / "stmt" / "001"
    content = bytearray(victim.read_bytes())
    content[3] ^= 1
    victim.write_bytes(content)
    status, answer = run("fsck", tmp_path / "out", "--key", LOG_KEY.encode())
    assert (status, answer["ok"], answer["index"]) == (1, False, 256)


def test_export_of_everything_and_of_a_range(data, tmp_path):
    """A whole export passes fsck; a range says what it holds; a second export into it is refused."""
    status, answer = run("export", data, tmp_path / "all")
    assert (status, answer["from"], answer["to"], answer["origin"]) == (0, 0, 700, ORIGIN)
    assert run("fsck", tmp_path / "all", "--key", LOG_KEY.encode())[0] == 0
    status, answer = run("export", data, tmp_path / "some", "--from", 300, "--to", 310)
    assert (status, answer["from"], answer["to"]) == (0, 300, 310)
    assert not (tmp_path / "some" / "stmt" / "000").exists()
    with pytest.raises(ConfigurationError, match="not empty"):
        run("export", data, tmp_path / "all")


def test_show_tells_the_checkpoint(data, tmp_path):
    """Origin, size, signer; a directory without a log is refused."""
    status, answer = run("show", data)
    assert (status, answer["checkpoint"]["size"]) == (0, 700)
    assert answer["checkpoint"]["signatures"] == [f"{ORIGIN}+{LOG_KEY.key_id.hex()}"]
    with pytest.raises(ConfigurationError):
        run("show", tmp_path)
