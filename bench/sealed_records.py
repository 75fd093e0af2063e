"""What a stopped authority's journal really holds: its records, opened with its own keys."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from sealgate.adapters.configuration import loading
from sealgate.adapters.installation import DATA_KEYS
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.keyring import Keyring
from sealgate.authority.reader import Reader
from sealgate.cli.init import JOURNAL


def decisions_by_request_id(configuration_file: Path) -> Counter[str]:
    """Count the decision records of the journal by request id; each body is checked against what was signed."""
    found: Counter[str] = Counter()
    for index, body in enumerate(bodies(configuration_file)):
        if body.get("kind") == "decision":
            found[body["request_id"] or f"no request id, record {index}"] += 1
    return found


def items_by_id(configuration_file: Path) -> Counter[str]:
    """Count the items in the journal's batches by their ids."""
    found: Counter[str] = Counter()
    for body in bodies(configuration_file):
        if body.get("kind") == "records.captured":
            found.update(orjson.loads(item)["item_id"] for item in body["items"])
    return found


def bodies(configuration_file: Path) -> Iterator[dict[str, Any]]:
    """Yield the body of every record of a stopped authority's journal; empty where its key is gone."""
    configuration = loading.load(configuration_file, {}, ())
    data, origin = configuration.data_directory, configuration.authority.origin
    journal = FileJournal(data / JOURNAL, origin, deliver=lambda function, *arguments: function(*arguments))
    data_keys = SqliteDataKeys(data / DATA_KEYS, Keyring.of(configuration).open().wrapping)
    reader = Reader(journal=journal, data_keys=data_keys, origin=origin)
    try:
        for index, record in journal.read(0, journal.size):
            yield reader.open(index, record).content() or {}
    finally:
        journal.close()
        data_keys.close()
