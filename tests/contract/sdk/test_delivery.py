"""Outcomes that the authority does not take now are kept on disk and delivered later, each counting once."""

import os
import shutil
import stat
import time

import pytest

from sealgate.model.errors import ConfigurationError
from sealgate.sdk import Client, OutcomeNotReported, SpoolFull, SpoolUnusable
from sealgate.sdk.spool import Spool


def wait_for(check) -> None:
    """Wait until ``check()`` holds, a minute at most: the pauses between deliveries grow."""
    until = time.monotonic() + 60
    while not check():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(name="spool")
def _spool(client: Client) -> Spool:
    return client.core.courier.spool


def put_back(path, data):
    """Put a report back whole, as a spool does: half a report would be refused by whoever reads it meanwhile."""
    copy = path.with_name(f".{path.name}.new")
    copy.write_bytes(data)
    copy.rename(path)


def lose_outcomes(authority):
    """Make the authority hang up on every outcome; return what ends that."""
    original = authority.answer

    def answer(path, body):
        if path == "/v1/outcomes":
            raise ConnectionError
        return original(path, body)

    authority.answer = answer

    def end():
        authority.answer = original

    return end


def test_outcomes_wait_and_arrive_in_order(authority, client, spool):
    """While the authority takes no outcomes they are spooled, privately; then they arrive once each, in order."""
    end = lose_outcomes(authority)

    @client.guard
    def act(n: int) -> int:
        return n

    assert [act(n) for n in range(5)] == list(range(5))
    assert spool.count() == 5
    assert authority.outcomes == []
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in spool.folder.glob("*.report")} == {0o600}
    end()
    wait_for(lambda: spool.count() == 0)
    waited = [outcome["decision_id"] for outcome in authority.outcomes]
    decided = [record["record_id"] for record in authority.records if record["kind"] == "decision"]
    assert waited == decided


def test_what_was_taken_but_not_removed_counts_once(authority, client, spool):
    """The client dies between the authority's answer and the removal: the report comes again and counts once."""
    end = lose_outcomes(authority)

    @client.guard
    def act() -> int:
        return 1

    act()
    (report,) = list(spool.waiting())  # before the end of the loss: the client delivers in the background too
    data = report.path.read_bytes()
    end()
    wait_for(lambda: client.flush() == 0)
    sent = len(authority.bodies("/v1/outcomes"))
    put_back(report.path, data)  # as if the removal had not happened
    wait_for(lambda: client.flush() == 0)
    assert len(authority.bodies("/v1/outcomes")) > sent
    assert len(authority.outcomes) == 1


def test_an_answer_that_is_lost_is_spooled(authority, client, spool):
    """The authority recorded the outcome but its answer was lost: the report is repeated with the same id."""
    original = authority.outcome

    def record_then_fail(body):
        original(body)
        authority.outcome = original
        raise ConnectionError

    authority.outcome = record_then_fail

    @client.guard
    def act() -> int:
        return 1

    act()
    wait_for(lambda: spool.count() == 0)
    assert len(authority.outcomes) == 1


def test_a_new_process_sends_what_an_old_one_left(authority, client, tmp_path):
    """Reports survive the client: the next one delivers them at its first call."""
    end = lose_outcomes(authority)
    dead = Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool", timeout_s=30)
    dead.core.courier._start = lambda: None  # it dies before its thread does anything

    @dead.guard
    def act() -> int:
        return 1

    act()
    end()
    assert authority.outcomes == []

    @client.guard
    def other() -> int:
        return 2

    other()
    wait_for(lambda: len(authority.outcomes) == 2)
    dead.close()


def test_reports_for_one_authority_never_go_to_another(tmp_path, client):
    """Each authority has a spool of its own."""
    other = Client(agent="a1", socket=tmp_path / "b.sock", spool=tmp_path / "spool")
    assert other.core.courier.spool.folder != client.core.courier.spool.folder


def test_a_full_spool_stops_new_actions(authority, client, spool):
    """When nothing more can wait, the next action does not run and the error says what to do."""
    lose_outcomes(authority)
    spool._max_reports = 2
    ran = []

    @client.guard
    def act() -> None:
        ran.append(1)

    act()
    act()
    with pytest.raises(SpoolFull, match="sealgate spool flush"):
        act()
    assert len(ran) == 2


def test_a_spool_that_breaks_while_the_body_runs_is_an_error_the_caller_sees(authority, client, tmp_path):
    """No delivery and no spool any more: the result comes with an error, a body's own error with a note."""
    lose_outcomes(authority)

    @client.guard
    def act(*, error: bool) -> int:
        if not error:
            shutil.rmtree(tmp_path / "spool")
            (tmp_path / "spool").write_text("a file where the folder should be")
            return 42
        raise ValueError("of the body")

    with pytest.raises(OutcomeNotReported) as caught:
        act(error=False)
    assert caught.value.result == 42
    with pytest.raises(ValueError, match="of the body") as noted:
        act(error=True)
    assert "was not reported" in noted.value.__notes__[0]


@pytest.mark.parametrize("defect", ["open to others", "no folder"])
def test_without_a_safe_place_for_outcomes_nothing_runs(tmp_path, client, authority, defect):
    """A spool that others can write, or that cannot be made, stops the action before anybody is asked."""
    if defect == "no folder":
        (tmp_path / "spool").write_text("a file")
    else:
        (tmp_path / "spool").mkdir()
        (tmp_path / "spool").chmod(0o777)

    @client.guard
    def act() -> None:
        pytest.fail("ran")

    with pytest.raises(SpoolUnusable):
        act()
    assert authority.requests == []


def test_poison_is_moved_aside(authority, client, spool):
    """A report the authority will never take, and a file that is no report, do not hold up the others."""
    end = lose_outcomes(authority)

    @client.guard
    def act() -> int:
        return 1

    act()
    (spool.folder / "00000000000000000000-x.report").write_bytes(b'{"half')
    original = authority.outcome
    authority.outcome = lambda _: (422, {"type": "urn:sealgate:problem:bad", "title": "bad"})
    end()  # from now on the report is refused, also where the background thread comes at once
    wait_for(lambda: spool.refused() == 2)
    authority.outcome = original
    act()
    wait_for(lambda: authority.outcomes and spool.count() == 0)  # it may find the thread still busy, and queue up
    assert len(authority.outcomes) == 1
    assert spool.refused() == 2


def test_only_repeatable_reports_are_spooled(spool):
    """A question or a redemption must never be sent later."""
    from sealgate.sdk.transport import Call

    with pytest.raises(ConfigurationError):
        spool.append(Call("POST", "/access/v1/evaluation", b"{}", "id", repeatable=True))
    with pytest.raises(ConfigurationError):
        spool.append(Call("POST", "/v1/outcomes", b"{}", "id"))


def test_a_forked_child_uses_connections_of_its_own(authority, client):
    """After a fork parent and child both go on, and no answer reaches the wrong one."""

    @client.guard
    def act(n: int) -> int:
        return n

    act(0)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if [act(n) for n in range(20)] == list(range(20)) else 1)
        finally:
            os._exit(2)
    assert [act(n) for n in range(100, 120)] == list(range(100, 120))
    assert os.waitpid(child, 0)[1] == 0


def test_the_command_line(authority, client, spool, tmp_path):
    """`sealgate spool show` counts, `flush` delivers."""
    from click.testing import CliRunner

    from sealgate.cli import sealgate

    end = lose_outcomes(authority)
    client.core.courier._start = lambda: None

    @client.guard
    def act() -> int:
        return 1

    act()
    options = ["--folder", str(tmp_path / "spool")]
    shown = CliRunner().invoke(sealgate, ["spool", "show", *options])
    assert shown.output == f"unix:{tmp_path}/a.sock: 1 waiting, 0 refused\n"
    failing = CliRunner().invoke(sealgate, ["spool", "flush", *options, "--socket", str(tmp_path / "a.sock")])
    assert failing.exit_code == 1
    end()
    flushed = CliRunner().invoke(sealgate, ["spool", "flush", *options, "--socket", str(tmp_path / "a.sock")])
    assert (flushed.exit_code, flushed.output) == (0, f"unix:{tmp_path}/a.sock: 0 waiting, 0 refused\n")
    assert len(authority.outcomes) == 1
