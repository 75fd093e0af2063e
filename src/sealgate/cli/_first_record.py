"""What ``sealgate doctor`` says of ``genesis.json``: the root key endorsed it, and the log begins with it."""

import orjson

from sealgate.adapters.configuration import Configuration
from sealgate.adapters.installation import DATA_KEYS
from sealgate.adapters.journals.following import FollowingJournal
from sealgate.adapters.keys import genesis
from sealgate.adapters.keys.keyring import GENESIS, Keyring
from sealgate.adapters.keys.reading_keys import ReadingKeys
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.authority.key_events import Members
from sealgate.cli._finding import Finding
from sealgate.cli.init import JOURNAL
from sealgate.evidence.records import Records

_CHECK = "first record"


def compare(found: Configuration, ring: Keyring) -> Finding:
    """Compare the file with the root key, and with the log's first record where one is published.

    Raises:
        ConfigurationError: the root key did not endorse what the file says.
        AlteredError: the first record itself was altered.
        UnavailableError: the key that opens it cannot be used now.
    """
    members = genesis.endorsed(ring, found)
    records = _records(found, ring)
    body = records.body(0) if records.published() else None
    if body is not None:
        written: Members = genesis.claims(orjson.loads(body))
        if different := sorted(name for name, value in genesis.claims(members).items() if written[name] != value):
            detail = f"`{found.keys.directory / GENESIS}` differs from the log's first record in {', '.join(different)}"
            return Finding(_CHECK, "failed", detail, "restore it from a copy of this log's keys; the log is as it was")
    if members["authority_id"] != found.authority.id:
        detail = f"`authority.id` is `{found.authority.id}`, and the log was made as `{members['authority_id']}`"
        return Finding(_CHECK, "failed", detail, "set it as the log has it: nothing starts with another")
    if body is not None:
        return Finding(_CHECK, "ok", f"as the root key endorsed it and {GENESIS} has it")
    why = "the first record's body is gone" if records.published() else "no record is published yet"
    return Finding(_CHECK, "ok", f"{GENESIS} is as the root key endorsed it; {why}")


def _records(found: Configuration, ring: Keyring) -> Records:
    data, known = found.data_directory, genesis.known_keys(found)
    journal = FollowingJournal(data / JOURNAL, DirectoryLog(data / "log"), known.log)
    return Records(journal, ReadingKeys(data / DATA_KEYS, ring.open_reading()), known.origin)
