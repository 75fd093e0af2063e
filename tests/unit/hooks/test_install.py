"""Settings files: what was there stays, ours comes once, and goes without a trace."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.hooks import documents, settings
from sealgate.hooks.events import EVENTS, HOSTS
from sealgate.hooks.install import install, installed_events, settings_file, uninstall
from sealgate.model.errors import InputError

FOREIGN = {
    "claude": {
        "permissions": {"allow": ["Bash(ls:*)"]},
        "hooks": {
            "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "~/bin/check.sh"}]}],
            "Stop": [{"hooks": [{"type": "command", "command": "say done"}]}],
        },
    },
    "codex": {"hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "x"}]}]}},
    "gemini": {"theme": "Größe", "hooks": {"BeforeTool": [{"matcher": "*", "hooks": [{"name": "a", "command": "x"}]}]}},
    "copilot": {"version": 1, "hooks": {"preToolUse": [{"type": "command", "bash": "./x.sh"}]}},
    "cursor": {"version": 1, "hooks": {"stop": [{"command": "x"}], "preToolUse": [{"command": "y"}]}},
}


def commands(host, tmp_path):
    """The commands of an installation."""
    return {phase: settings.command(phase, host, tmp_path / "state") for phase in ("before", "after")}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_uninstall_restores_the_bytes(tmp_path, host, indent):
    """Whatever the file looked like, the same bytes are there again, and nothing else is left."""
    path = tmp_path / "conf" / "settings.json"
    path.parent.mkdir()
    path.write_text(json.dumps(FOREIGN[host], indent=indent, ensure_ascii=False) + " \n", "utf-8")
    path.chmod(0o640)
    before = path.read_bytes()

    assert install(path, host, commands(host, tmp_path)).change == "installed"
    once = path.read_bytes()
    assert install(path, host, commands(host, tmp_path)).change == "unchanged"
    assert path.read_bytes() == once
    assert sorted(installed_events(path)) == sorted(EVENTS[host])
    assert uninstall(path, host).change == "restored"

    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert [file.name for file in path.parent.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_file_of_ours_alone_goes_away(tmp_path, host):
    """Where there was no file there is none again, also after installing anew with other settings."""
    path = tmp_path / "conf" / "settings.json"

    install(path, host, commands(host, tmp_path))
    install(path, host, commands(host, tmp_path / "other"))

    assert uninstall(path, host).change == "restored"
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("host", HOSTS)
def test_foreign_hooks_stay(tmp_path, host):
    """A file that was changed after the installation keeps those changes; only ours goes."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(FOREIGN[host]), "utf-8")
    install(path, host, commands(host, tmp_path))
    changed = json.loads(path.read_text("utf-8"))
    changed["added"] = True
    path.write_text(json.dumps(changed), "utf-8")

    assert uninstall(path, host).change == "removed"
    assert json.loads(path.read_text("utf-8")) == {**FOREIGN[host], "added": True}
    assert uninstall(path, host).change == "absent"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
members = st.dictionaries(st.sampled_from(["matcher", "hooks", "command", "bash"]), json_values, max_size=3)
entries = st.lists(members, min_size=1, max_size=3)


@given(
    st.sampled_from(HOSTS),
    st.dictionaries(st.text(max_size=8).filter(lambda key: key != "hooks"), json_values, max_size=3),
    st.dictionaries(st.sampled_from(["PreToolUse", "BeforeTool", "preToolUse", "Stop", "x"]), entries, max_size=3),
)
def test_remove_undoes_add(host, rest, hooks):
    """For any document with any hooks of others, adding and removing ours changes nothing but our own frame."""
    document = {**rest, "hooks": hooks} if hooks else rest
    pair = {"before": "'/x/sealgate/hooks/program.py' a", "after": "'/x/sealgate/hooks/program.py' b"}

    added = documents.add(document, host, pair)
    left = documents.remove(added, host)

    if "version" not in rest:
        left = {key: value for key, value in left.items() if key != "version"}
    assert left == document
    assert documents.add(added, host, pair) == added


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"hooks": []}', '{"a": 1, "a": 2}', '{"hooks": {"PreToolUse": {}}}', "\xff"]
)
def test_files_that_cannot_be_read_are_left_alone(tmp_path, text):
    """What the host could not read either, or what would lose something, is not written to."""
    path = tmp_path / "settings.json"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(InputError):
        install(path, "claude", commands("claude", tmp_path))

    assert path.read_bytes() == text.encode("latin-1")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_stays_a_link(tmp_path):
    """A settings file kept elsewhere is changed there."""
    target = tmp_path / "dotfiles.json"
    target.write_text("{}", "utf-8")
    path = tmp_path / "settings.json"
    path.symlink_to(target)

    install(path, "claude", commands("claude", tmp_path))

    assert path.is_symlink()
    assert installed_events(target)
    assert uninstall(path, "claude").change == "restored"
    assert target.read_text("utf-8") == "{}"


@pytest.mark.parametrize("host", HOSTS)
def test_each_scope_has_a_file_of_its_own(tmp_path, host):
    """User, project and managed settings are different files; where there is none this is said."""
    found = set()
    for scope in ("user", "project", "managed"):
        if scope == "managed" and host in ("codex", "copilot"):
            with pytest.raises(InputError):
                settings_file(host, scope, {"HOME": "/h"}, tmp_path)
        else:
            found.add(settings_file(host, scope, {"HOME": "/h"}, tmp_path))
    assert len(found) == 2 + (host not in ("codex", "copilot"))
