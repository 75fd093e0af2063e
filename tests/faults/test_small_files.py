"""Policy sets, the snapshot, the spool and the key in use: a fault or a death at each system call that writes them.

Each write is tried with its first system call failing, then its second, and so on until it gets through; then the same
with the process dying there. Whatever happens, what was there before or what was meant to be there is found whole.
"""

# ruff: noqa: D102  # the four kinds of write have the same three methods: before, write, state

import errno
import hashlib
import json
import os
import subprocess
import sys

import pytest

from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.keys import keyring
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.stores.authority_files import AuthorityFiles
from sealgate.model.errors import SealgateError
from sealgate.sdk.spool import Spool
from sealgate.sdk.transport import Call

CALLS = ("open", "write", "pwrite", "fsync", "fdatasync", "rename", "replace", "link", "mkdir", "close")
"""The functions of ``os`` that these writes use. Content that goes through a file object cannot be torn here."""

OLD, NEW = b'{"set":"old"}', b'{"set":"new"}'


def version(bundle: bytes) -> str:
    """The name of a policy set."""
    return f"sha256:{hashlib.sha256(bundle).hexdigest()}"


class Policies:
    """A policy set is stored beside another."""

    @staticmethod
    def before(folder):
        AuthorityFiles(folder).store_policy(version(OLD), OLD)

    @staticmethod
    def write(folder):
        AuthorityFiles(folder).store_policy(version(NEW), NEW)

    @staticmethod
    def state(folder):
        files = AuthorityFiles(folder)
        assert files.load_policy(version(OLD)) == OLD
        assert files.load_policy(version(NEW)) in (None, NEW)
        return "old" if files.load_policy(version(NEW)) is None else "new"


class Snapshot:
    """The snapshot is replaced."""

    @staticmethod
    def before(folder):
        AuthorityFiles(folder).store_snapshot(OLD)

    @staticmethod
    def write(folder):
        AuthorityFiles(folder).store_snapshot(NEW)

    @staticmethod
    def state(folder):
        return {OLD: "old", NEW: "new"}[AuthorityFiles(folder).load_snapshot()]


class Reports:
    """A report is added to the spool."""

    @staticmethod
    def _spool(folder):
        return Spool(folder / "spool", "unix:x")

    @classmethod
    def before(cls, folder):
        cls._append(folder, "r1")

    @classmethod
    def write(cls, folder):
        cls._append(folder, "r2")

    @classmethod
    def _append(cls, folder, name):
        cls._spool(folder).append(Call("POST", "/v1/outcomes", name.encode(), name, repeatable=True))

    @classmethod
    def state(cls, folder):
        spool = cls._spool(folder)
        found = [(report.call.request_id, report.call.body) for report in spool.waiting()]
        assert spool.refused() == 0
        assert found in ([("r1", b"r1")], [("r1", b"r1"), ("r2", b"r2")])
        return "old" if len(found) == 1 else "new"


class KeyInUse:
    """Another statement key is named as the one in use."""

    @staticmethod
    def _ring(folder):
        return Keyring(Keys(directory=folder), folder)

    @classmethod
    def before(cls, folder):
        (folder / keyring.CURRENT).write_bytes(b"statement-old.key\n")
        (folder / keyring.CURRENT).chmod(0o600)

    @classmethod
    def write(cls, folder):
        cls._ring(folder).switch("statement-new.key")

    @classmethod
    def state(cls, folder):
        return {"statement-old.key": "old", "statement-new.key": "new"}[cls._ring(folder).current_name()]


WRITES = {kind.__name__: kind for kind in (Policies, Snapshot, Reports, KeyInUse)}


class Faults:
    """Counts the calls; the one with the chosen number fails, or ends the process before or after it."""

    def __init__(self, number: int, end: str) -> None:
        self.left, self.end, self.hit = number, end, False

    def wrap(self, real):
        """Return ``real`` with the fault in it."""

        def call(*arguments, **options):
            self.left -= 1
            if self.left != -1:
                return real(*arguments, **options)
            self.hit = True
            if self.end == "fails":
                if real is os_close:
                    real(*arguments)  # a failing close has closed
                raise OSError(errno.EIO, "injected")
            if self.end == "torn" and real in (os_write, os_pwrite):
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2], *arguments[2:])
            try:
                if self.end == "after":
                    real(*arguments, **options)
            finally:
                os._exit(9)

        return call


os_close, os_write, os_pwrite = os.close, os.write, os.pwrite


@pytest.mark.parametrize("name", WRITES)
def test_a_failing_call(name, tmp_path, monkeypatch):
    """EIO from each call in turn: the error is ours, the old or the new is there, and the next write succeeds."""
    kind, met = WRITES[name], 0
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        kind.before(folder)
        faults = Faults(number, "fails")
        with monkeypatch.context() as patch:
            for call in CALLS:
                patch.setattr(os, call, faults.wrap(getattr(os, call)))
            try:
                kind.write(folder)
                failed = False
            except (SealgateError, OSError):
                failed = True
        if not faults.hit:
            break
        met += 1
        if not failed:
            assert kind.state(folder) == "new"  # only what was durable by then may be passed over
        kind.state(folder)
        if kind is not Reports or kind.state(folder) == "old":
            kind.write(folder)
        assert kind.state(folder) == "new"

    assert met >= 4


_DIES = """
import importlib.util, os, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("small", sys.argv[1])
small = importlib.util.module_from_spec(spec)
spec.loader.exec_module(small)
name, number, end, folder = sys.argv[2], int(sys.argv[3]), sys.argv[4], Path(sys.argv[5])
for number in range(number, 100):
    place = folder / f"{end}-{number}"
    place.mkdir(parents=True)
    small.WRITES[name].before(place)
    child = os.fork()
    if child == 0:
        faults = small.Faults(number, end)
        for call in small.CALLS:
            setattr(os, call, faults.wrap(getattr(os, call)))
        small.WRITES[name].write(place)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


@pytest.mark.parametrize("end", ["before", "torn", "after"])
@pytest.mark.parametrize("name", WRITES)
def test_a_death_at_a_call(name, end, tmp_path):
    """Dead before, in the middle of, or after each call in turn: old or new, never a part; the next write succeeds."""
    kind = WRITES[name]
    subprocess.run([sys.executable, "-c", _DIES, __file__, name, "0", end, tmp_path], check=True, timeout=60)
    places = sorted(tmp_path.iterdir())
    *died, whole = sorted(places, key=lambda place: int(place.name.partition("-")[2]))
    states = [kind.state(place) for place in died]

    assert kind.state(whole) == "new"
    assert len(died) >= 4
    assert states[0] == "old"
    assert states == sorted(states, reverse=True)  # once it is there it stays
    for place, state in zip(died, states, strict=True):
        if kind is not Reports or state == "old":
            kind.write(place)
        assert kind.state(place) == "new"


def test_the_faults_would_find_a_careless_write(tmp_path):
    """Positive control: a file written in place is found torn."""
    script = _DIES.replace("small.WRITES[name]", "Careless")
    careless = """
class Careless:
    @staticmethod
    def before(folder): (folder / "f").write_bytes(b"old")
    @staticmethod
    def write(folder):
        handle = os.open(folder / "f", os.O_WRONLY | os.O_TRUNC)
        os.write(handle, b"newer")
        os.close(handle)
"""
    code = script.replace("name, number", careless + "\nname, number", 1)
    subprocess.run([sys.executable, "-c", code, __file__, "-", "0", "torn", tmp_path], check=True, timeout=60)
    found = {(place / "f").read_bytes() for place in tmp_path.iterdir()}

    assert found - {b"old", b"newer"} != set(), json.dumps([item.decode() for item in found])
