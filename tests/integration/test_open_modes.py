"""What others could change is refused by a start, each with a word about what to do."""

import pytest

from sealgate.adapters.evidence.service import Places, open_service
from sealgate.adapters.keys.keyring import Keyring
from sealgate.cli import _configuration
from sealgate.demo.authority import Authority, run
from sealgate.model.errors import ConfigurationError, UnavailableError

GUARDED = ("sealgate.toml", "keys", "journal", "lock.db", "data-keys.db", "staging", "log")


@pytest.mark.timeout(600)  # fifteen starts
def test_what_others_may_write_is_refused_at_the_start(tmp_path):
    """One open file or folder is enough, for the group as for everybody; with the right modes it starts."""
    with Authority(tmp_path / "a") as authority:
        authority.stop()
        for name in GUARDED:
            path = authority.folder / name
            right = path.stat().st_mode & 0o7777
            for wrong in (right | 0o020, right | 0o002):
                path.chmod(wrong)
                with pytest.raises(UnavailableError, match=f"(?s){name}.*others can change it.*chmod go-w"):
                    run("serve", "--config", authority.configuration)
            path.chmod(right)

        authority.start()

        assert authority.get("/healthz")[0] == 200


def test_another_authority_s_name_is_refused(tmp_path):
    """Statements name the authority: a start under another id than the log's first record has says what it was."""
    with Authority(tmp_path / "a") as authority:
        authority.stop()
        with pytest.raises(UnavailableError, match=r"(?s)`authority.id` is `other`.*as the log's first record has it"):
            run("serve", "--config", authority.configuration, "--set", "authority.id=other")

        authority.start()

        assert authority.get("/healthz")[0] == 200


def test_a_lost_trust_file_is_said_by_the_evidence_service(tmp_path):
    """The service names the file and what to do; with it, it opens."""
    run("init", tmp_path / "a", "--origin", "log.example/1")
    found = _configuration.load(tmp_path / "a", ())
    data, wrapping = tmp_path / "a", Keyring.of(found).open_reading()
    names = ("journal", "log", "data-keys.db", "trust.json", "evidence")
    places = Places(*(data / name for name in names))
    open_service(places, wrapping).close()
    (data / "trust.json").unlink()

    with pytest.raises(ConfigurationError, match=r"trust\.json` cannot be read"):
        open_service(places, wrapping)
