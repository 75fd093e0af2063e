"""Configuration: precedence, bounds, refusal of what is not a setting, and its documentation."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from sealgate.adapters import configuration
from sealgate.adapters.configuration import reference
from sealgate.adapters.configuration.settings import REPEATED, SECTIONS
from sealgate.model.errors import ConfigurationError

LEAST = '[authority]\norigin = "log.example/2026h2"\nid = "a1"\n'
BASE = Path("/srv/gate")
PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "configuration.md"


def parse(text="", environment=None, flags=()):
    """Parse a text behind the least that is needed."""
    return configuration.parse(LEAST + text, base=BASE, environment=environment or {}, flags=flags)


def test_the_defaults_hold():
    """What the file does not say has the documented default."""
    found = parse()

    assert found.decisions.deadline_ms == 250
    assert found.decisions.permit_ttl_s == 30
    assert found.decisions.outcome_deadline_s == 600
    assert found.decisions.idempotency_window_s == 900
    assert found.ledger.checkpoint_interval_ms == 1000
    assert found.tls.min_version == "1.3"
    assert found.identity == ()


def test_paths_become_absolute():
    """Paths start at the folder of the file, the socket and keys at the data directory."""
    tls = '[tls]\ncertificate = "cert.pem"\nclient_certificate = "required"\n'
    found = parse('data_directory = "data"\n' + tls + '[server]\nsocket = "/run/gate.sock"\n')

    assert found.data_directory == BASE / "data"
    assert found.keys.directory == BASE / "data" / "keys"
    assert found.tls.certificate == BASE / "cert.pem"
    assert found.server.socket == Path("/run/gate.sock")


def test_flag_beats_environment_beats_file():
    """The nearer to the hand, the stronger."""
    text = "[decisions]\ndeadline_ms = 1\npermit_ttl_s = 1\noutcome_deadline_s = 1\n"
    variables = {"SEALGATE_DECISIONS_DEADLINE_MS": "2", "SEALGATE_DECISIONS_PERMIT_TTL_S": "2"}
    found = parse(text, variables, ["decisions.deadline_ms=3"]).decisions

    assert (found.deadline_ms, found.permit_ttl_s, found.outcome_deadline_s) == (3, 2, 1)


def test_variables_of_others_are_left_alone():
    """The SDK's own variables are no settings of the authority; a misspelled setting is refused."""
    parse(environment={"SEALGATE_DATA": "x", "SEALGATE_API_KEY": "y", "SEALGATE_CONFIG": "z"})
    with pytest.raises(ConfigurationError, match=r"did you mean `server\.socket`"):
        parse(environment={"SEALGATE_SERVER_SOKET": "x"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serevr]\n", "did you mean `server`"),
        ("[server]\nsoket = 'x'\n", "did you mean `socket`"),
        ("[[identity]]\nname = 'a'\nuid = 1\nagent = []\n", "did you mean `agents`"),
        ("[server]\nqqqqq = 1\n", "known are socket"),
        ("[decisions]\ndeadline_ms = 0\n", "allowed is 1 to 60000 milliseconds"),
        ("[decisions]\ndeadline_ms = true\n", "not an integer"),
        ("[decisions]\ndeadline_ms = '250'\n", "not an integer"),
        ("[decisions]\ndeadline_ms = 2.5\n", "not an integer"),
        ("[tls]\nmin_version = '1.1'\n", "one of 1.2, 1.3"),
        ("[tls]\nlisten = ':8443'\n", "needs `tls.certificate`"),
        ("[server]\nsocket = 7\n", "not a string"),
        ('[server]\nsocket = "a\\u0000b"\n', "not a string"),
        ("[ledger]\nwitness_quorum = 1\n", "with 0 witnesses"),
        ("[[witness]]\nurl = 'https://w/'\n", "`witness.vkey` is missing"),
        ("[witness]\nurl = 'https://w/'\n", "not an array of tables"),
        ("[[identity]]\nname = 'a'\n", "not named by one proof"),
        ("[[identity]]\nname = 'a'\nuid = 1\ngid = 1\n", "not named by one proof"),
        ("[[identity]]\nname = 'a'\nuid = 1\nroles = ['root']\n", "one of enforce"),
        ("[[identity]]\nname = 'a'\nuid = 1\n[[identity]]\nname = 'a'\nuid = 2\n", "appears twice"),
        ("[keys]\nstore = 'pkcs11'\n", "without module"),
        ("[server\n", "not TOML"),
        ("[tls]\n\n[tls]\n", "not TOML.*stands there once"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    """Each refusal says what is wrong and what to do."""
    with pytest.raises(ConfigurationError, match=message):
        parse(text)


@pytest.mark.parametrize(
    "flag", ["decisions.deadline_ms", "nothing.here=1", "decisions.=1", "=", "decisions.deadlin=5"]
)
def test_a_flag_that_sets_nothing_is_refused(flag):
    """A flag is as strict as the file."""
    with pytest.raises(ConfigurationError):
        parse(flags=[flag])
    parse(flags=["decisions.deadline_ms=5"])


def test_identity_zero_is_root():
    """User id 0 names root and is not taken for a missing value."""
    (found,) = parse("[[identity]]\nname = 'root'\nuid = 0\nagents = ['*']\nroles = ['enforce']\n").identity

    assert (found.uid, found.gid, found.agents, found.roles) == (0, None, ("*",), ("enforce",))


def test_the_written_template_is_the_default():
    """The commented file reads back as the defaults, and its comments name every setting."""
    text = reference.template({"authority.origin": "log.example/2026h2", "authority.id": "a1"}, "")
    found = configuration.parse(text, base=BASE, environment={})

    assert found == parse()
    for name, kind in SECTIONS.items():
        section = text.split(f"\n[{name}]\n")[1].split("\n\n")[0]
        settings = [line.removeprefix("#") for line in section.splitlines() if not line.startswith("# ")]

        assert [*tomllib.loads("\n".join(settings))] == [item.name for item in fields(kind)]


def test_what_is_shown_reads_back():
    """``config show`` prints a file that means the same."""
    found = parse("[[identity]]\nname = 'a\"\\\\'\nuid = 1\nroles = ['read']\n[[witness]]\nurl='u'\nvkey='v'\n")

    assert configuration.parse(reference.show(found), base=BASE, environment={}) == found


def test_the_reference_page_is_made_from_the_settings():
    """Run ``python -m sealgate.adapters.configuration.reference > docs/reference/configuration.md`` after a change."""
    assert PAGE.read_text("utf-8") == reference.page()


def test_every_setting_has_a_sentence():
    """No setting without a sentence that ends; every number has a unit, user and group ids excepted."""
    for kind in (SECTIONS | REPEATED).values():
        for item in fields(kind):
            setting = item.metadata["setting"]

            assert setting.sentence.endswith(".")
            assert setting.unit or item.type is not int or item.name == "witness_quorum"


def test_a_file_is_found_where_it_is_said_to_be(tmp_path, monkeypatch):
    """The named file first, then the variable, then here; a folder stands for the file in it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="no configuration file"):
        configuration.find(None, {})
    (tmp_path / "sealgate").mkdir()
    (tmp_path / "sealgate" / "sealgate.toml").write_text(LEAST)

    assert configuration.find(None, {}) == Path("sealgate/sealgate.toml")
    assert configuration.find(Path("sealgate"), {}) == Path("sealgate/sealgate.toml")
    assert configuration.find(None, {"SEALGATE_CONFIG": str(tmp_path / "sealgate")}).is_file()
    with pytest.raises(ConfigurationError, match="no configuration file"):
        configuration.find(Path("nowhere.toml"), {})
    assert configuration.load(tmp_path / "sealgate" / "sealgate.toml", {}).data_directory == tmp_path / "sealgate"
