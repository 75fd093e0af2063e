"""The commands around an installation, run as an operator runs them."""

import contextlib
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sealgate.adapters import installation
from sealgate.adapters.keys.envelope import COST_OF_RANDOM_PASSPHRASE
from sealgate.cli import _checks, sealgate
from sealgate.model.errors import SealgateError

ORIGIN = "log.example/2026h2"


class Shell:
    """Runs ``sealgate`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run a command and return what it printed; whether it fails must be as said."""
        with contextlib.chdir(self.folder):
            done = CliRunner(env={"COLUMNS": "200"}).invoke(sealgate, arguments)
        error = done.exception
        if isinstance(error, SealgateError):
            assert fails, str(error)
            return done.output + str(error)

        assert error is None or isinstance(error, SystemExit), repr(error)
        assert (done.exit_code != 0) == fails, done.output
        return done.output

    def findings(self, *, fails: bool = False) -> dict[str, str]:
        """Return the worst status of each check of ``sealgate doctor``."""
        order = ["ok", "warning", "failed"]
        found: dict[str, str] = {}
        for check in json.loads(self.run("doctor", "--json", fails=fails))["checks"]:
            worst = max(order.index(check["status"]), order.index(found.get(check["check"], "ok")))
            found[check["check"]] = order[worst]
        return found


@pytest.fixture(name="shell")
def _shell(tmp_path):
    """A folder with a new authority in ``sealgate/``."""
    shell = Shell(tmp_path)
    shell.run("init", "--origin", ORIGIN, "--authority-id", "a1")
    return shell


def _paths_taken():
    """Yield (command, parameter) of every path that a command takes as an argument."""
    todo = [((), sealgate)]
    while todo:
        name, command = todo.pop()
        if isinstance(command, click.Group):
            context = click.Context(command)
            todo += [((*name, word), command.get_command(context, word)) for word in command.list_commands(context)]
        yield from ((name, one) for one in command.params if isinstance(one.type, click.Path))


@pytest.mark.parametrize(("name", "parameter"), list(_paths_taken()), ids=str)
def test_no_command_takes_an_empty_path_for_this_folder(name, parameter):
    """A variable that is not set is refused by whatever takes a path; `.` is this folder."""
    with click.Context(sealgate, info_name=" ".join(name)) as context:
        with pytest.raises(click.BadParameter, match="is a variable not set"):
            parameter.type.convert("", parameter, context)
        if not parameter.type.exists and parameter.type.dir_okay:
            assert parameter.type.convert(".", parameter, context) == Path()


def test_init_with_an_empty_path_makes_nothing(tmp_path):
    """Keys in the folder that somebody happens to be in would be a bad surprise; with `.` they are wanted there."""
    shell = Shell(tmp_path)

    assert "the path is empty" in shell.run("init", "", "--origin", ORIGIN, fails=True)
    assert list(tmp_path.iterdir()) == []

    shell.run("init", ".", "--origin", ORIGIN)
    assert (tmp_path / "trust.json").exists()


def test_init_says_what_to_do_next(tmp_path):
    """The root key goes offline, the trust file to verifiers, then serve."""
    text = Shell(tmp_path).run("init", "gate", "--origin", ORIGIN)

    assert "Move gate/keys/root.key" in text
    assert "gate/trust.json" in text
    assert "sealgate serve --config gate/sealgate.toml" in text
    assert "holds an authority already" in Shell(tmp_path).run("init", "gate", fails=True)


def test_init_writes_settings_into_the_configuration(tmp_path):
    """What is given is what the file says, of its type, and in force without a flag."""
    shell = Shell(tmp_path)
    shell.run("init", "--set", "server.socket=/run/s.sock", "--set", "decisions.permit_ttl_s=40")

    text = (tmp_path / "sealgate" / "sealgate.toml").read_text("utf-8")
    assert '\nsocket = "/run/s.sock"\n' in text
    assert "\npermit_ttl_s = 40\n" in text
    shown = shell.run("config", "show")
    assert 'socket = "/run/s.sock"' in shown
    assert "permit_ttl_s = 40" in shown


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("decisions.deadline_ms=0", "allowed is 1 to 60000"),
        ("decisions.deadline_ms=soon", "is not an integer"),
        ("decisions.deadlin_ms=5", "is not a setting"),
        ("decisions=5", "is not a setting"),
        ("nothing", "does not set anything"),
        ("authority.id=other", "is not set like this"),
        ("keys.store=pkcs11", "is not set like this"),
    ],
)
def test_init_with_a_wrong_setting_makes_nothing(tmp_path, flag, told):
    """What the authority would refuse at its start, or what the new keys would not fit, is refused at once."""
    assert told in Shell(tmp_path).run("init", "--set", flag, fails=True)
    assert list(tmp_path.iterdir()) == []


def test_init_with_own_passphrases_keeps_none(tmp_path, monkeypatch):
    """With passphrases by reference nothing that opens the keys lies beside them."""
    monkeypatch.setattr(installation, "COST_OF_HUMAN_PASSPHRASE", COST_OF_RANDOM_PASSPHRASE)
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"secret {name}\n")
        (tmp_path / name).chmod(0o600)
    shell = Shell(tmp_path)
    shell.run("init", "--passphrase", f"file:{tmp_path}/one", "--root-passphrase", f"command:cat {tmp_path}/two")

    assert not list((tmp_path / "sealgate" / "keys").glob("*unlock"))
    assert shell.findings()["keys"] == "ok"
    root = ("--root-passphrase", f"file:{tmp_path}/two")
    assert "prepared: key.added, key.retired" in shell.run("keys", "rotate", *root)


def test_a_new_installation_is_healthy(shell, monkeypatch):
    """After init nothing fails; the doctor warns of the root key here and of agents under the authority's own user."""
    monkeypatch.setattr(_checks, "_SLOW_SYNC_MS", 60_000.0)  # how quick this machine's disk is just now is its affair
    found = shell.findings()

    assert {name for name, status in found.items() if status == "warning"} == {
        "root key",
        "identities",
        "authority",
        "collector",
        "evidence",
    }
    assert "failed" not in found.values()
    table = shell.run("doctor")
    assert "may speak for every agent" in table
    assert "append and fdatasync: median" in table


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (lambda data: (data / "keys").chmod(0o755), "modes"),
        (lambda data: (data / "keys" / "log.key").chmod(0o644), "modes"),
        (lambda data: (data / "keys" / "unlock").write_text("wrong\n"), "keys"),
        (lambda data: (data / "keys" / "permit.key").unlink(), "keys"),
        (lambda data: (data / "keys" / "genesis.json").write_text("{}\n"), "first record"),
        (lambda data: (data / "keys" / "genesis.json").unlink(), "first record"),
        (lambda data: (data / "lock.db").unlink(), "lock database"),
        (lambda data: (data / "data-keys.db").chmod(0o640), "data keys"),
        (lambda data: (data / "trust.json").write_text("{}\n"), "trust file"),
        (lambda data: (data / "api-keys.json").write_text("{}"), "API keys"),
        (lambda data: (data / "sealgate.toml").write_text("[serevr]\n"), "configuration"),
        (lambda data: (data / "sealgate.toml").chmod(0o620), "configuration"),
    ],
)
def test_the_doctor_finds_what_is_wrong(shell, damage, check):
    """Each damage fails its own check, and the exit status says so."""
    damage(shell.folder / "sealgate")

    assert shell.findings(fails=True)[check] == "failed"


def test_the_key_of_tokens_is_replaced_by_moving_it_away(shell):
    """As the page on keys says: the command makes a new one only where there is none."""
    key = shell.folder / "sealgate" / "keys" / "token.key"
    before = key.read_bytes()

    assert "exists" in shell.run("keys", "token", fails=True)
    assert key.read_bytes() == before
    key.rename(shell.folder / "token.key.old")
    assert "made keys/token.key" in shell.run("keys", "token")

    assert key.read_bytes() != before
    assert shell.findings()["keys"] == "ok"


def test_rotation_from_the_command_line(shell):
    """A prepared rotation is shown, is not made twice, and needs the authority to be recorded."""
    shell.run("keys", "rotate")

    assert "prepared, not yet recorded: key.added, key.retired" in shell.run("keys", "list")
    assert "prepared already" in shell.run("keys", "rotate", fails=True)
    assert "cannot be reached" in shell.run("keys", "apply", fails=True)
    assert json.loads(shell.run("keys", "list", "--json"))["pending"] == ["key.added", "key.retired"]
    assert shell.findings()["rotation"] == "warning"


def test_every_key_that_can_change_within_a_log(shell):
    """Receipt and permit keys are prepared, a wrapping key is changed at once; each is named as used from then on."""
    in_use = json.loads(shell.run("keys", "list", "--json"))["in_use"]
    waiting = shell.folder / "sealgate" / "keys" / "rotation.json"

    for purpose, told in (("receipt", "keys apply"), ("permit", "next start"), ("wrapping", "wrapped anew: 0 keys")):
        assert told in shell.run("keys", "rotate", "--purpose", purpose)
        assert shell.findings()["keys"] == "ok"
        waiting.unlink()
    changed = json.loads(shell.run("keys", "list", "--json"))["in_use"]

    assert {name for name in in_use if in_use[name] != changed[name]} == {"wrapping"}
    assert "is not one of" in shell.run("keys", "rotate", "--purpose", "log", fails=True)


def test_another_root_key_is_refused(shell, tmp_path):
    """The root key of another log endorses nothing here, and the refusal leaves nothing prepared."""
    shell.run("init", "other", "--origin", ORIGIN)
    other = tmp_path / "other" / "keys"
    options = ("--root-key", f"{other}/root.key", "--root-passphrase", f"file:{other}/root-unlock")

    assert "not the log's" in shell.run("keys", "rotate", *options, fails=True)
    assert "prepared" not in shell.run("keys", "list")
    shell.run("keys", "rotate")


def test_revoking_the_key_in_use(shell):
    """Revocation of the key in use prepares its successor in the same step; an unknown key is refused."""
    kid = json.loads(shell.run("keys", "list", "--json"))["statement_keys"][0]["kid"]

    assert "no statement or receipt key" in shell.run("keys", "revoke", "00", fails=True)
    assert "prepared: key.added, key.revoked" in shell.run("keys", "revoke", kid)
    (shell.folder / "sealgate" / "keys" / "rotation.json").unlink()
    receipt = json.loads(shell.run("keys", "list", "--json"))["receipt_keys"][0]["kid"]
    assert "prepared: key.added, key.revoked" in shell.run("keys", "revoke", receipt)


def test_api_keys_from_the_command_line(shell):
    """A key is shown once, listed without its secret, and revoked."""
    token = shell.run("keys", "api", "add", "ci", "--agent", "a1").split()[0]
    key_id, secret = token.split("_", 2)[1:]
    listed = shell.run("keys", "api", "list")

    assert key_id in listed
    assert secret not in listed
    assert json.loads(shell.run("keys", "api", "list", "--json"))[0]["roles"] == ["enforce"]
    shell.run("keys", "api", "revoke", key_id)
    assert "revoked 20" in shell.run("keys", "api", "list")
    assert "not a role" in shell.run("keys", "api", "add", "x", "--role", "root", fails=True)


def test_the_configuration_is_checked_and_shown(shell):
    """Flags beat the file; a misspelled one is named with its nearest."""
    assert "deadline_ms = 99" in shell.run("config", "show", "--set", "decisions.deadline_ms=99")
    assert "ok: authority `a1`" in shell.run("config", "check")
    assert "did you mean" in shell.run("config", "check", "--set", "decisions.deadlin_ms=99", fails=True)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell, name):
    """Each shell gets its script, which calls back under the variable that the program reads."""
    assert "_SEALGATE_COMPLETE" in shell.run("completion", name)
