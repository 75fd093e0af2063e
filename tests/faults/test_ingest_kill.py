"""kill -9 of collector and authority while senders send: what was acknowledged is there, and is there once."""

import contextlib
import json
import os
import random
import signal
import threading
import time

import httpx
import pytest

from bench.ingest_world import children
from bench.owning import wait_until_nobody_owns
from sealgate.adapters.configuration import loading
from sealgate.adapters.installation import DATA_KEYS
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.keyring import Keyring
from sealgate.authority.reader import Reader
from sealgate.cli.init import JOURNAL
from sealgate.demo.authority import Authority

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""The HTTP client leaves a socket whose connection was refused to the collector of garbage."""


class Sender(threading.Thread):
    """Sends batches until told to end; one without an answer is sent again, as the spool of the client does."""

    def __init__(self, socket, name, ending):
        super().__init__(daemon=True)
        self._socket, self._name, self._ending = socket, name, ending
        self.acknowledged: set[str] = set()
        self.repeated = 0

    def run(self):
        """Send."""
        number = 0
        while not self._ending.is_set():
            ids = [f"01a1fc46-fe05-7ad7-8{self._name:03x}-{number * 20 + n:012x}" for n in range(20)]
            number += 1
            body = json.dumps({"batch_id": f"{self._name}-{number}", "items": [_item(each) for each in ids]})
            while not self._send(body):
                self.repeated += 1
                time.sleep(0.05)
                if self._ending.is_set():
                    return
            self.acknowledged.update(ids)

    def _send(self, body):
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(self._socket)), timeout=20) as client:
                answer = client.post(
                    "http://x/v1/records/batch", content=body, headers={"Content-Type": "application/json"}
                )
        except httpx.HTTPError:
            return False
        if answer.status_code != 200:
            assert answer.status_code in {429, 503}, answer.text
            return False
        assert answer.json()["accepted"] == 20, answer.text
        return True


def _item(item_id):
    return {
        "item_id": item_id,
        "kind": "event.logged",
        "time": "2026-11-21T03:00:00.000Z",
        "agent": "a1",
        "coverage": "captured",
        "source": "sdk",
        "attributes": {"event_type": "x"},
    }


def _recorded(authority):
    """Return the ids of all items in the journal, in order, and the batch ids of their records."""
    configuration = loading.load(authority.configuration, {})
    keys = Keyring.of(configuration).open()
    data_keys = SqliteDataKeys(configuration.data_directory / DATA_KEYS, keys.wrapping)
    origin = configuration.authority.origin
    items, batches = [], []
    with FileJournal(configuration.data_directory / JOURNAL, origin) as journal:
        reader = Reader(journal=journal, data_keys=data_keys, origin=origin)
        for index in range(journal.size):
            body = reader.read(index).content()
            if body["kind"] == "records.captured":
                items += [json.loads(text)["item_id"] for text in body["items"]]
                batches.append((body["principal"], body["batch_id"]))
    data_keys.close()
    return items, batches


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_9_of_either_loses_nothing_that_was_acknowledged(tmp_path):
    """Six kills at random moments under load."""
    chance = random.Random(7)  # noqa: S311  # moments of kills
    with Authority(tmp_path / "a") as authority:
        ending = threading.Event()
        senders = [Sender(authority.folder / "collector.sock", name, ending) for name in range(3)]
        for sender in senders:
            sender.start()
        for number in range(6):
            before = sum(len(sender.acknowledged) for sender in senders)
            deadline = time.monotonic() + 90
            while sum(len(sender.acknowledged) for sender in senders) < before + 200:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(chance.random() * 0.1)
            if number % 2:
                os.kill(authority.pid, signal.SIGKILL)
                authority.stop()
                wait_until_nobody_owns(authority.data / JOURNAL)
                authority.start()
            else:
                for child in children(authority.pid):
                    with contextlib.suppress(ProcessLookupError):  # a child of one that was killed before it
                        os.kill(child, signal.SIGKILL)
        ending.set()
        for sender in senders:
            sender.join(90)
        authority.stop()
        items, batches = _recorded(authority)

    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    assert len(acknowledged) >= 1200
    assert acknowledged <= set(items)
    assert len(items) == len(set(items))
    assert len(batches) == len(set(batches))
    assert sum(sender.repeated for sender in senders) > 0  # the kills were felt
