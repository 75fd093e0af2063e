"""What a stopped authority's journal really holds: its records, opened with its own keys."""

from collections import Counter
from pathlib import Path
from typing import Any

from sealgate.adapters.configuration import loading
from sealgate.adapters.installation import DATA_KEYS
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.keyring import Keyring
from sealgate.authority.reader import Reader
from sealgate.cli.init import JOURNAL


def decisions_by_request_id(configuration_file: Path) -> Counter[str]:
    """Count the decision records of the journal by request id; each body is checked against what was signed."""
    configuration = loading.load(configuration_file, {}, ())
    data, origin = configuration.data_directory, configuration.authority.origin
    journal = FileJournal(data / JOURNAL, origin, deliver=lambda function, *arguments: function(*arguments))
    data_keys = SqliteDataKeys(data / DATA_KEYS, Keyring.of(configuration).open().wrapping)
    reader = Reader(journal=journal, data_keys=data_keys, origin=origin)
    found: Counter[str] = Counter()
    for index, record in journal.read(0, journal.size):
        body: dict[str, Any] = reader.open(index, record).content() or {}
        if body.get("kind") == "decision":
            found[body["request_id"] or f"no request id, record {index}"] += 1
    journal.close()
    data_keys.close()
    return found
