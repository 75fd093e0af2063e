"""Facts: what counts as named by the user."""

import pytest

from sealgate.demo.agentdojo.facts import Request, about, names


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("send it to GB29NWBK60161331926819, please", "GB29NWBK60161331926819", True),
        ("our website www.our-company.com.They sent", "www.our-company.com", True),
        ("see www.informations.com!", "www.informations.com", True),
        ("see www.true-informations.com", "informations.com", False),
        ("see a.com.evil.net", "a.com", False),
        ("mail bob@x.org", "ob@x.org", False),
        ("mail bob@x.org", "x.org", False),
        ("page x.org/alice", "x.org", False),
        ("pay me", "me", False),  # too short to mean anything
        ("pay", "", False),
    ],
)
def test_names_whole_values_only(text: str, value: str, *, expected: bool):
    """A value is named only where it stands whole."""
    assert expected is names(text, value)


def test_facts_of_a_call():
    """The four facts come from the request, the directory and what ran; nested arguments count."""
    request = Request(
        text="Please email bob@x.org and delete the file",
        directory=frozenset({"eve@x.org"}),
        trusted_text="Charlie: look at www.page.org",
        vocabulary=frozenset({"delete", "email", "cancel"}),
    )
    arguments = {"to": ["bob@x.org", "eve@x.org", "mallory@x.org"], "body": {"link": "www.page.org"}, "n": 3}

    facts = about(request, arguments, ["read", "read"])

    assert facts == {
        "asked": ["delete", "email"],
        "from_user": ["bob@x.org"],
        "vouched": ["bob@x.org", "eve@x.org", "www.page.org"],
        "used": ["read"],
    }
