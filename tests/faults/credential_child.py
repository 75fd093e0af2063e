"""``sealgate serve`` that kills itself (SIGKILL) before its n-th step of issuing or of ending a credential.

Steps are what can be half done: each statement to PostgreSQL, each record of a credential before and after it is
durable, the answer. The plan is a file ``<phase> <n>`` beside the data; without one nothing is killed, only counted.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import pg8000.native

from sealgate.adapters.credentials.postgres import PostgresBackend
from sealgate.authority.credential_endings import Endings
from sealgate.authority.credentials import Broker
from sealgate.authority.recorder import Recorder
from sealgate.cli import main

FOLDER = Path(sys.argv.pop(1))
_lock = threading.Lock()
_thread = threading.local()
_taken = {"issue": 0, "end": 0}


def step(phase, name):
    """Count one step since the phase began; die where the plan says so. What was reached is appended to ``steps``."""
    with _lock:
        _taken[phase] += 1
        with (FOLDER / "steps").open("a", encoding="utf-8") as file:
            file.write(f"{phase} {_taken[phase]} {name}\n")
        plan = FOLDER / "plan"
        if plan.is_file() and plan.read_text("utf-8") == f"{phase} {_taken[phase]}":
            os.kill(os.getpid(), signal.SIGKILL)


_PHASES = {"credential.requested": "issue", "credential.issued": "issue", "credential.revoked": "end"}
_record, _run, _issue, _end = Recorder.record, pg8000.native.Connection.run, Broker.issue, Endings.end
_live = PostgresBackend.live


async def record(self, draft, **more):
    """A record, with a step before and one after."""
    phase = _PHASES.get(draft.kind)
    if phase is None:
        return await _record(self, draft, **more)
    step(phase, f"before {draft.kind}")
    done = await _record(self, draft, **more)
    step(phase, f"after {draft.kind}")
    return done


def run(self, sql, **values):
    """A statement, with a step before it; those of the listing of strays do not count."""
    if getattr(_thread, "listing", False):
        return _run(self, sql, **values)
    name = threading.current_thread().name
    phase = "issue" if name.startswith("credential-") else "end" if name.startswith("revoke-") else None
    if phase is not None:
        step(phase, f"before {sql.split(' ', 2)[0:2]}")
    return _run(self, sql, **values)


def live(self):
    """The listing of strays: it comes when it comes, after a start first of all, so it is no step of anything."""
    _thread.listing = True
    try:
        return _live(self)
    finally:
        _thread.listing = False


async def issue(self, request, caller):
    """The whole of it, with a step before the answer."""
    _taken["issue"] = 0
    answer = await _issue(self, request, caller)
    step("issue", "before the answer")
    return answer


def end(self, leases, cause, *more):
    """The beginning of an end."""
    leases = [lease for lease in leases if lease is not None]
    if leases:
        _taken["end"] = 0
        step("end", f"before {cause}")
    return _end(self, leases, cause, *more)


Recorder.record, pg8000.native.Connection.run, Broker.issue, Endings.end = record, run, issue, end
PostgresBackend.live = live
main()
