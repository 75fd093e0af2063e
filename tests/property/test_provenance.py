"""Provenance never upgrades: what was seen only as untrusted is never the person's or trusted."""

import string

from hypothesis import given
from hypothesis import strategies as st

from sealgate.policy.provenance import Fingerprints

SALT = b"s" * 32
WORDS = st.text(string.ascii_letters + string.digits + "@.:/-_ éаﬀ", min_size=1, max_size=40)
VALUES = st.recursive(
    WORDS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=6), st.lists(WORDS, max_size=4), VALUES)
def test_only_untrusted_content_never_vouches(values, texts, asked):
    """With nothing but untrusted content, no value at all is the person's or trusted."""
    prints = Fingerprints(SALT)
    prints.add_values("untrusted", values)
    for text in texts:
        prints.add_text("untrusted", text)

    assert prints.origins(asked) <= {"untrusted"}


@given(WORDS, WORDS)
def test_untrusted_content_adds_nothing_good(said, read):
    """Whatever is read later, a value's good origins are those that it had before."""
    before, after = Fingerprints(SALT), Fingerprints(SALT)
    for prints in (before, after):
        prints.add_text("person", said)
    after.add_text("untrusted", read)
    after.add_values("untrusted", [read])

    for value in (read, said, [said, read]):
        assert after.origins(value) - {"untrusted"} == before.origins(value) - {"untrusted"}


@given(VALUES.filter(lambda value: value not in (None, "", [], {})))
def test_what_was_seen_whole_is_found(value):
    """A value that entered as untrusted is told as untrusted, if it holds a text or number at all."""
    prints = Fingerprints(SALT)
    counted = prints.add_values("untrusted", [value])

    assert prints.origins(value) == (frozenset({"untrusted"}) if counted else frozenset())


@given(VALUES, VALUES)
def test_a_part_from_elsewhere_spoils_the_whole(good, other):
    """A list is the person's only if all of it is."""
    prints = Fingerprints(SALT)
    prints.add_values("person", [good])
    alone = prints.origins(other)

    together = prints.origins([good, other])

    if "person" in together:
        assert "person" in alone or not list(_texts(other))


@given(VALUES)
def test_a_task_that_is_not_whole_trusts_nothing(value):
    """After a restart an unknown value is untrusted, never the person's."""
    prints = Fingerprints(SALT, whole=False)

    assert prints.origins(value) == (frozenset({"untrusted"}) if list(_texts(value)) else frozenset())


def _texts(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and value != "" and not isinstance(value, bool):
        yield value
