"""Where values came from: what counts as naming a value, and what does not."""

import time

import pytest

from sealgate.policy import provenance
from sealgate.policy.provenance import Fingerprints


def seen(**texts):
    """Fingerprints of one text for each origin."""
    prints = Fingerprints(b"s" * 32)
    for origin, text in texts.items():
        prints.add_text(origin, text)
    return prints


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Please write to Bob@Example.com, thanks.", "bob@example.com"),
        ("pay DE89 3704 0044 0532 0130 00 today", "DE89370400440532013000"),
        ("pay DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("the rent is 2200.50 now", 2200.5),
        ("call the 'Follow-up meeting' soon", "Follow-up meeting"),
        ("see <https://example.com/a?b=1>.", "https://example.com/a?b=1"),
    ],
)
def test_the_person_named_it(text, value):
    """Case, spaces and punctuation around do not matter."""
    assert seen(person=text).origins(value) == {"person"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("write to bob@example.com", "b@example.com"),
        ("write to bob@example.com", "bob@example.com.evil.net"),
        ("write to bob@example.com", "evil-bob@example.com"),
        ("see https://example.com/a", "https://example.com/b"),
        ("see https://example.com/a", "example.com"),
        ("there are 12 of them", "12"),
        ("alpha beta", "beta alpha"),
        ("alpha beta", "alpha gamma"),
    ],
)
def test_the_person_did_not(text, value):
    """A part of a word, another path, another order, a value too short to mean anything: not named."""
    assert seen(person=text).origins(value) == set()


@pytest.mark.parametrize(
    "value",
    [
        "https://evil.example/leak?data=1",
        "Report: https://evil.example/x and more",
        "evil.example",
        "someone@evil.example",
        {"address": ["someone@evil.example"]},
    ],
)
def test_a_telling_part_is_enough_for_untrusted(value):
    """The host of an address that others wrote gives away what is made of it."""
    assert seen(untrusted="go to https://evil.example/start now").origins(value) == {"untrusted"}
    assert seen(untrusted="go to https://good.example/start now").origins(value) == set()


def test_lists_take_the_weaker_origin():
    """All of a list must be vouched for."""
    prints = seen(person="ann@a.org", trusted="bob@b.org", untrusted="eve@e.org")

    assert prints.origins(["ann@a.org", "ann@a.org"]) == {"person"}
    assert prints.origins(["ann@a.org", "bob@b.org"]) == {"trusted"}
    assert prints.origins(["ann@a.org", "eve@e.org"]) == {"untrusted"}
    assert prints.origins(["ann@a.org", "new@n.org"]) == set()
    assert prints.origins([]) == set()


def test_salt_separates_tasks():
    """The same text leaves other fingerprints in another task."""
    one, other = Fingerprints(b"1" * 32), Fingerprints(b"2" * 32)
    for prints in (one, other):
        prints.add_values("person", ["ann@a.org"])

    assert one._values["person"].isdisjoint(other._values["person"])


def test_past_its_bounds_the_unknown_is_untrusted(monkeypatch):
    """What could not be kept may have been anything."""
    prints = seen(untrusted="word " * 10)
    assert prints.origins("unseen value") == set()

    monkeypatch.setattr(provenance, "MAX_TOKENS", 5)
    prints.add_text("untrusted", "more words than there is room for")

    assert not prints.whole
    assert prints.origins("unseen value") == {"untrusted"}


@pytest.mark.parametrize("text", ["a" * 130_000, "a@" * 65_000, "1." * 65_000, "de89 " * 26_000, "http://" * 18_000])
def test_linear(text):
    """No text costs more than its length: a second is a hundred times what any of these takes."""
    prints = Fingerprints(b"s" * 32)
    started = time.process_time()  # what it takes of a processor, which others on a busy machine do not lengthen
    prints.add_text("untrusted", text)
    prints.origins(text[:16_000])

    assert time.process_time() - started < 3
