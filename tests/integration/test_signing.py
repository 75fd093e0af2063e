"""Records signed in another process: all verify, in order, and nothing is lost when it dies, lags or lies."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealgate.adapters.keys.file import FileSigner
from sealgate.adapters.signing.process import ProcessSigning
from sealgate.encoding import statement
from sealgate.proofs.keys import is_signed

from .conftest import CALLER, question

LIAR = """
import socket, sys
from sealgate.adapters.keys import sodium
from sealgate.adapters.signing import messages, worker

real, real_sign = messages.answer, sodium.sign

def answer(number, signatures):
    if number == 1:  # the challenge
        return real(number, signatures)
    return {lie}

messages.answer = answer
worker.serve(socket.socket(fileno=int(sys.argv[1])))
"""
LIES = {
    "one too few": "real(number, signatures[1:])",
    "in another order": "real(number, signatures[1:] + signatures[:1])",
    "by another key": "real(number, [bytes(64)] * len(signatures))",
    "an answer to another group": "real(number + 1, signatures)",
    "an earlier answer": "real(number - 1, signatures)",
    "garbage": "b'?' * 77",
}


def patient():
    """Return a signing process that is waited for: that a machine is busy for 30 ms is not what is tested."""
    signing = ProcessSigning(busy=2)
    be_patient(signing)
    return signing


def be_patient(signing):
    """Wait for an answer much longer than the product does, which signs a group itself that is late."""
    signing._watch._patience_s = 60.0


def counted(signing):
    """Note how each group that is asked for is answered: how many signatures, or None."""
    answers = []
    ask = signing.ask

    def count(inputs, answered):
        def note(signatures):
            answers.append(signatures if signatures is None else len(signatures))
            answered(signatures)

        return ask(inputs, note)

    signing.ask = count
    return answers


async def ready(kit, signing):
    """Wait until the process has the key."""
    await kit.until(lambda: signing.busy(99), timeout_s=60)


async def ask_many(authority, count=200):
    """Ask for many decisions at once; return how many were permitted."""
    answers = await asyncio.gather(*(authority.evaluate(question(), CALLER, None) for _ in range(count)))
    return sum(answer.decision for answer in answers)


def verified(kit):
    """Return how many records there are, all of them signed by the statement key, numbered and named in order."""
    public_key = FileSigner(kit.seed).public_key
    parsed = [statement.parse(stored.statement) for _, stored in kit.journal.read(0)]

    assert all(is_signed(public_key, one.signing_input, one.signature) for one in parsed)
    assert [one.claims.seq for one in parsed] == list(range(len(parsed)))
    ids = [body["record_id"] for body in kit.bodies()]
    assert ids == sorted(set(ids))
    return len(parsed)


def test_every_record_verifies_and_keeps_its_place(kit):
    """Busy, the process is asked; statements verify, and ids, numbers and indexes grow together."""

    async def scenario():
        signing = patient()
        answers = counted(signing)
        authority = await kit.started(signing=signing)
        await ready(kit, signing)
        permitted = await ask_many(authority)
        records = verified(kit)
        await authority.stop()
        return answers, permitted, records

    answers, permitted, records = asyncio.run(scenario())

    assert permitted == 200
    assert records == 202  # the keys and the policy set before them
    assert sum(count for count in answers if count) > 100
    assert None not in answers


def test_a_lone_decision_is_signed_here(kit):
    """Nobody is asked for one record after another, nor is a process started for them; the control: for many it is."""

    async def scenario():
        signing = patient()
        answers = counted(signing)
        authority = await kit.started(signing=signing)
        decisions = [(await authority.evaluate(question(), CALLER, None)).decision for _ in range(3)]
        unstarted = signing._child.process is None and signing._child._starting is None
        await ready(kit, signing)
        decisions.append((await authority.evaluate(question(), CALLER, None)).decision)
        alone = list(answers)
        await ask_many(authority)
        await authority.stop()
        return unstarted, alone, decisions, answers

    unstarted, alone, decisions, answers = asyncio.run(scenario())

    assert unstarted
    assert alone == []
    assert decisions == [True] * 4
    assert answers


def test_a_stop_of_the_service_leaves_it_at_work(kit):
    """SIGTERM and SIGINT, which reach every process of a service or terminal, are the authority's to obey."""

    async def scenario():
        signing = patient()
        answers = counted(signing)
        authority = await kit.started(signing=signing)
        await ready(kit, signing)
        process = signing._child.process
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        permitted = await ask_many(authority)
        alive = process.poll() is None
        await authority.stop()
        return answers, permitted, alive, process.returncode

    answers, permitted, alive, ended = asyncio.run(scenario())

    assert permitted == 200
    assert None not in answers
    assert alive
    assert ended is not None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_stuck_process_costs_no_record(kit, how):
    """While it is killed or stopped with a group in its hands, everything is recorded, in order."""

    async def scenario():
        signing = patient() if how == signal.SIGKILL else ProcessSigning(busy=2)
        answers = counted(signing)
        authority = await kit.started(signing=signing)
        await ready(kit, signing)
        signing._child.process.send_signal(signal.SIGSTOP)
        asking = asyncio.ensure_future(ask_many(authority))
        await kit.until(lambda: signing._sent > 1, timeout_s=60)  # the challenge, and a group
        if how == signal.SIGKILL:
            signing._child.process.kill()
        permitted = await asking
        late = list(answers)
        records = verified(kit)
        if how == signal.SIGSTOP:  # it answers what nobody waits for any more, and is asked again
            signing._child.process.send_signal(signal.SIGCONT)
        be_patient(signing)
        await ready(kit, signing)  # a killed one was started once again
        permitted += await ask_many(authority)
        verified(kit)
        await authority.stop()
        return late, answers, permitted, records

    late, answers, permitted, records = asyncio.run(scenario())

    assert permitted == 400
    assert records == 202
    assert late[0] is None
    assert late[1:] == [] or how == signal.SIGKILL  # asked once, and then no more; a new process may be asked at once
    assert any(answers[1:])
    assert None not in answers[1:]


def test_killed_again_and_again_under_load(kit):
    """It is started once again and then never; decisions do not notice."""

    async def scenario():
        signing = patient()
        authority = await kit.started(signing=signing)
        permitted = starts = 0
        for _ in range(3):
            if starts < 2:
                await ready(kit, signing)
                starts += 1
                asking = asyncio.ensure_future(ask_many(authority))
                await asyncio.sleep(0.01)
                signing._child.process.kill()
            else:
                asking = asyncio.ensure_future(ask_many(authority))
            permitted += await asking
        await kit.until(lambda: signing._child.process is None, timeout_s=60)
        await asyncio.sleep(0.5)
        verified(kit)
        gone = signing._child.process is None and signing._child._starting is None
        await authority.stop()
        return permitted, gone

    assert asyncio.run(scenario()) == (600, True)


def _liar(folder, monkeypatch, lie):
    (folder / "lying_signer.py").write_text(LIAR.replace("{lie}", lie))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    signing = patient()
    signing._child._module = "lying_signer"
    return signing


def _ask_a_liar(kit, signing):
    async def scenario():
        answers = counted(signing)
        authority = await kit.started(signing=signing)
        await ready(kit, signing)
        permitted = await ask_many(authority)
        records = verified(kit)
        await authority.stop()
        return answers, permitted, records

    return asyncio.run(scenario())


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_what_a_confused_process_answers_is_not_taken(kit, tmp_path, monkeypatch, lie):
    """None of its signatures is in the log; its records are signed here."""
    answers, permitted, records = _ask_a_liar(kit, _liar(tmp_path, monkeypatch, lie))

    assert permitted == 200
    assert records == 202
    assert answers
    assert set(answers) == {None}


def test_the_same_process_without_a_lie_is_believed(kit, tmp_path, monkeypatch):
    """The control: what the lies are told by is asked and answers, as long as it tells none."""
    answers, permitted, _ = _ask_a_liar(kit, _liar(tmp_path, monkeypatch, "real(number, signatures)"))

    assert permitted == 200
    assert answers
    assert None not in answers


def test_a_process_with_another_key_gets_nothing_to_sign(kit, tmp_path, monkeypatch):
    """The first that is asked of it is a challenge; who fails it, twice, is left alone."""
    signing = _liar(tmp_path, monkeypatch, "None")
    script = tmp_path / "lying_signer.py"
    script.write_text(script.read_text().replace("return real(number, signatures)", "return real(number, [bytes(64)])"))

    async def scenario():
        answers = counted(signing)
        authority = await kit.started(signing=signing)
        signing.busy(99)
        await kit.until(lambda: signing._child._starts == 2 and not signing._child.running, timeout_s=60)
        await kit.until(lambda: signing._child.process is None and signing._child._starting is None, timeout_s=60)
        permitted = await ask_many(authority)
        verified(kit)
        await authority.stop()
        return answers, permitted

    assert asyncio.run(scenario()) == ([], 200)


def test_a_stop_makes_durable_what_is_away(kit):
    """Submitted, and not yet signed when the authority stops: durable all the same."""

    async def scenario():
        signing = patient()
        authority = await kit.started(signing=signing)
        await ready(kit, signing)
        signing._child.process.send_signal(signal.SIGSTOP)
        asking = [asyncio.ensure_future(authority.evaluate(question(), CALLER, None)) for _ in range(50)]
        sealing = authority._parts.recorder._sealing
        await kit.until(lambda: len(sealing._away) > 0, timeout_s=60)
        away = len(sealing._away) + len(sealing._waiting)
        await authority.stop()
        answers = await asyncio.gather(*asking)
        return away, [answer.decision for answer in answers]

    away, decisions = asyncio.run(scenario())

    assert away > 1
    assert decisions.count(True) >= away


class _DeviceSigner:
    """A signer whose secret cannot be taken out; it is no ``FileSigner``."""

    def __init__(self, seed):
        inside = FileSigner(seed)
        self.public_key, self.key_id, self.sign = inside.public_key, inside.key_id, inside.sign


def test_a_key_in_a_device_is_not_handed_over(kit):
    """A rotation to such a key ends the process; everything is signed here, by the new key."""

    async def scenario():
        signing = patient()
        answers = counted(signing)
        authority = await kit.started(signing=signing)
        await ready(kit, signing)
        await ask_many(authority)
        process, before = signing._child.process, len(answers)
        authority._parts.recorder.use_signer(_DeviceSigner(kit.seed))
        permitted = await ask_many(authority)
        verified(kit)
        await authority.stop()
        return before, len(answers), permitted, process.poll()

    before, after, permitted, ended = asyncio.run(scenario())

    assert before
    assert after == before
    assert permitted == 200
    assert ended is not None


def test_the_key_is_in_no_argument_and_no_variable(kit, monkeypatch):
    """Nor is anything else of ours that a passphrase could be in; and no file of ours is open there."""
    monkeypatch.setenv("A_PASSPHRASE", "open sesame")

    async def scenario():
        signing = patient()
        authority = await kit.started(signing=signing)
        await ready(kit, signing)
        folder = Path("/proc") / str(signing._child.process.pid)
        arguments = (folder / "cmdline").read_bytes()
        try:
            more = (folder / "environ").read_bytes()
            files = [str(one.readlink()) for one in (folder / "fd").iterdir()]
        except PermissionError:  # nobody but root may look into what is not dumpable
            more, files = None, None
        await authority.stop()
        return arguments, more, files

    arguments, more, files = asyncio.run(scenario())

    assert b"sealgate.adapters.signing.worker" in arguments  # the control: this is what was looked through
    assert (more is None) == (os.geteuid() != 0)
    for secret in (kit.seed, kit.seed.hex().encode(), b"open sesame"):
        assert secret not in arguments
        assert secret not in (more or b"")
    if more is not None:
        assert b"PATH=" in more
        assert [name for name in files if name.startswith("socket:")]
        assert not [name for name in files if str(kit.folder) in name]


PROTECTED = """
import ctypes
from sealgate.adapters.children.secrecy import protect
dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
print(dumpable(), end=" ")
protect()
print(dumpable())
"""


def test_it_leaves_no_core_dump():
    """Dumpable before, as every process is; not after."""
    done = subprocess.run([sys.executable, "-c", PROTECTED], capture_output=True, text=True, check=True)

    assert done.stdout == "1 0\n"


ASKER = """
import asyncio, os, sys
from sealgate.adapters.keys.file import FileSigner
from sealgate.adapters.signing.process import ProcessSigning

async def main():
    signing = ProcessSigning()
    signing.use(FileSigner(os.urandom(32)))
    while not signing.busy(99):
        await asyncio.sleep(0.01)
    print(signing._child.process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_it_ends_with_who_started_it():
    """Killed, the authority leaves no process behind that holds its key."""
    with subprocess.Popen([sys.executable, "-c", ASKER], stdout=subprocess.PIPE, text=True) as asker:
        pid = int(asker.stdout.readline())
        alive = _runs(pid)
        asker.kill()
    deadline = time.monotonic() + 30
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert alive
    assert not _runs(pid)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
