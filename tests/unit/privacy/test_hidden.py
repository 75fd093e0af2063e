"""What is hidden by encodings, invisible characters and spelling is found; what is beyond the bounds is not trusted."""

import base64
import urllib.parse

import pytest

from sealgate.privacy import KnownValue, KnownValues, Scanner, redact_text
from sealgate.privacy.decoding import MAX_BLOBS, unescaped
from sealgate.privacy.scanner import MAX_TEXT

SCANNER = Scanner()
SECRET = "contact ann.lee@example.com today"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


HIDDEN = {
    "base64": _b64(SECRET),
    "base64url": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    "base64 in lines": base64.encodebytes((SECRET * 3).encode()).decode(),
    "hex": SECRET.encode().hex(),
    "hex with colons": SECRET.encode().hex(":"),
    "percent": urllib.parse.quote(SECRET.replace("@", "%40")),
    "percent twice": urllib.parse.quote(urllib.parse.quote(SECRET)),
    "json escape": "ann.lee\\u0040example.com",
    "html": "ann.lee&#64;example.com",
    "zero width": "\u200b".join("ann.lee@example.com"),
    "full width": "ann.lee\uff20example.com",
    "base64 of hex": _b64(SECRET.encode().hex()),
    "hex of base64": _b64(SECRET).encode().hex(),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_finds_what_is_encoded(name):
    """An address is found through each encoding, and nothing of it is left in the masked text."""
    text = f"see {HIDDEN[name]} please"

    masked, findings = redact_text(text, SCANNER)

    assert [finding.type for finding in findings] == ["email"]
    assert findings[0].decoded_from
    assert HIDDEN[name].strip()[:20] not in masked
    assert masked.startswith("see ")
    assert masked.endswith("please")


def test_leaves_encoded_text_without_data():
    """The same encodings of a harmless text are left alone."""
    text = f"see {_b64('the weather is fine today, is it not')} please"

    assert redact_text(text, SCANNER) == (text, [])


def test_deeper_than_the_bound_is_not_trusted():
    """What is encoded too often to be looked into is masked, because nobody looked."""
    text = SECRET
    for _ in range(5):
        text = _b64(text)

    assert redact_text(text, SCANNER)[0] == "[unsearched]"


def test_more_runs_than_the_bound_are_not_trusted():
    """Of more encoded runs than the bound the later ones are masked."""
    text = " ".join(_b64(f"harmless text number {n}") for n in range(MAX_BLOBS + 2))

    assert redact_text(text, SCANNER)[0].count("[unsearched]") == 2


def test_longer_than_the_bound_is_not_trusted():
    """The end of an over-long text is masked."""
    masked, _ = redact_text("x " * (MAX_TEXT // 2) + "tail", SCANNER)

    assert masked.endswith("[unsearched]")


def test_view_points_back():
    """Each character of a view knows which part of the original it came from."""
    text = "a%40b\u200bc"
    view = unescaped(text)

    assert view is not None
    assert view.text == "a@bc"
    assert text[slice(*view.span(1, 2))] == "%40"
    assert text[slice(*view.span(2, 4))] == "b\u200bc"


KNOWN = KnownValues(
    [
        KnownValue("name", "Zoë Müller", "sub_1"),
        KnownValue("address", "975 Sunset Drive", "sub_1"),
        KnownValue("birth_date", "1990-04-05", "sub_2"),
        KnownValue("name", "Li", "sub_3"),
    ]
)


@pytest.mark.parametrize(
    "text",
    ["Zoë Müller", "ZOE MULLER", "zoe_muller", "zoemüller", "975, sunset  drive", "975\u200bSunset-Drive",
     "April 5, 1990", "5th of April 1990", "04/05/1990", "1990.04.05", _b64("living at 975 Sunset Drive")],
)  # fmt: skip
def test_known_values_in_any_spelling(text):
    """A registered value is found whatever its case, accents and separators, dates in the usual orders, encoded too."""
    masked, findings = redact_text(f"it is {text} I think", SCANNER, known=KNOWN)

    assert len(findings) == 1
    assert text not in masked


@pytest.mark.parametrize("text", ["Zoë Mülleria", "1975 Sunset Drive", "1990-04-06", "Li"])
def test_known_values_are_whole(text):
    """A value inside another word or number is none; one too short to be told apart is refused and says so."""
    assert redact_text(f"it is {text} I think", SCANNER, known=KNOWN) == (f"it is {text} I think", [])
    assert [value.value for value in KNOWN.refused] == ["Li"]
