"""``sealgate log`` on a real directory."""

import json
import shutil
from contextlib import closing

import pytest
from click.testing import CliRunner

from bench.ledger_world import LOG_KEY, ORIGIN, Producer, make, open_world
from sealgate.adapters import configuration, installation
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.cli.init import create_stores
from sealgate.cli.log import command
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores
from sealgate.model.errors import AlteredError, ConfigurationError


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


def test_a_lost_log_is_rebuilt_by_a_command(tmp_path):
    """``log rebuild`` brings the whole directory back from an installation's journal; the log then goes on."""
    data = tmp_path / "gate"
    plan = installation.Plan(origin=ORIGIN, authority_id="a1", operator_uid=0, created="2026-11-21T00:00:00.000Z")
    installation.create(data, plan, extra=create_stores)
    found = configuration.load(data / "sealgate.toml", {})

    def publish(upto):
        """Append records and publish them, as the authority does."""
        opened = Keyring.of(found).open()
        with (
            FileJournal(data / "journal", ORIGIN) as journal,
            closing(SqliteLock(data / "lock.db", ORIGIN)) as lock,
        ):
            stores = Stores(journal, DirectoryLog(data / "log"), DirectoryStaging(data / "staging"), lock)
            ledger = Ledger(ORIGIN, stores, Keys(opened.log, opened.receipt, "urn:sealgate:authority:a1"))
            for number in range(journal.size, upto):
                journal.append(Producer().record(number), lambda _: None)
            journal._on_writer(lambda: None)
            ledger.step()
            ledger.close()

    publish(600)
    before = (data / "log" / "checkpoint").read_bytes()
    shutil.rmtree(data / "log")
    with pytest.raises(AlteredError, match="lost") as refused:
        publish(600)
    assert "sealgate log rebuild" in refused.value.hint

    status, answer = run("rebuild", "--config", data / "sealgate.toml")

    assert (status, answer["ok"], answer["size"]) == (0, True, 600)
    assert (data / "log" / "checkpoint").read_bytes() == before
    assert run("fsck", data, "--trust", data / "trust.json")[0] == 0
    publish(700)
    assert run("fsck", data, "--trust", data / "trust.json")[1]["size"] == 700
    with FileJournal(data / "journal", ORIGIN), pytest.raises(ConfigurationError):  # an authority runs
        run("rebuild", "--config", data / "sealgate.toml")
