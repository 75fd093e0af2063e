"""Places in normal form: one form for what is the same, none for what readers disagree about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.policy.normalize import normalize, place_kind

SAME = [
    (
        "path",
        "/etc/passwd",
        ["/etc/./passwd", "//etc///passwd", "/data/../etc/passwd", "/../etc/passwd", "/etc/passwd/"],
    ),
    ("path", "data/x", ["./data/x", "data//x", "data/y/../x", "data/x/."]),
    ("path", "c:/data/x", ["C:\\data\\x", "c:/data//x"]),
    ("path", "/caf\u00e9", ["/cafe\u0301"]),
    (
        "url",
        "https://example.com/a/b",
        [
            "HTTPS://EXAMPLE.COM/a/b",
            "https://example.com:443/a//b",
            "https://example.com./a/./b",
            "https://example.com/a/c/../b",
            "https://example.com/%61/b",
            "https://example.com/a/%2e%2e/a/b",
            "https://example.com/a/b#fragment",
        ],
    ),
    ("url", "http://127.0.0.1/", ["http://2130706433", "http://0x7f.1/", "http://127.1", "http://[::ffff:127.0.0.1]/"]),
    ("url", "http://[2001:db8::1]:8080/", ["http://[2001:0db8:0:0::1]:8080"]),
    ("url", "www.example.com/p", ["WWW.example.com/p", "//www.example.com/p"]),
    ("host", "xn--mnchen-3ya.de", ["m\u00fcnchen.de", "M\u00dcNCHEN.DE.", "xn--mnchen-3ya.de"]),
    ("host", "10.0.0.1", ["10.1", "0xa000001", "167772161"]),
]


@pytest.mark.parametrize(("kind", "normal", "others"), SAME, ids=[row[1] for row in SAME])
def test_same_place_same_form(kind, normal, others):
    """Every way to write a place gives one text."""
    assert {normalize(text, kind).text for text in [*others, normal]} == {normal}
    assert all(normalize(text, kind).ok for text in others)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("path", ""),
        ("path", " /etc"),
        ("path", "/etc\x00/x"),
        ("path", "/a\nb"),
        ("path", "../x"),
        ("path", "a/../../x"),
        ("path", "/data/%2e%2e/etc"),
        ("path", "/data\\..\\etc"),
        ("path", "\\\\server\\share"),
        ("path", "C:x"),
        ("path", "~/x"),
        ("path", "/a\u2044b"),
        ("path", "/a\uff0fb"),
        ("path", "/a\u202eb"),
        ("path", "/a\ud800"),
        ("url", "https://good.example@evil.example/"),
        ("url", "https://good.example\\@evil.example/"),
        ("url", "https://good.example%2eevil/"),
        ("url", "http:evil.example"),
        ("url", "https://example.com/%252e%252e/x"),
        ("url", "https://example.com/a%2fb"),
        ("url", "https://example.com/a%00b"),
        ("url", "https://example.com/%zz"),
        ("url", "https://example.com/%ff"),
        ("url", "http://0177.0.0.1/"),
        ("url", "http://256.1.1.1/"),
        ("url", "http://1.2.3.4.5/"),
        ("url", "http://example.com:99999/"),
        ("url", "http://example.com:8 0/"),
        ("url", "http://[fe80::1%eth0]/"),
        ("url", "http://exa mple.com/"),
        ("url", "http://-x.example/"),
        ("url", "http://a..example/"),
        ("url", "http:///x"),
        ("url", "file://elsewhere/etc/passwd"),
        ("url", "x:../../etc"),
        ("host", "fa\u00df.de"),
        ("host", "a/b"),
        ("host", "a@b"),
        ("host", "x\u3002y\u200d"),
    ],
)
def test_ambiguous_place_has_no_form(kind, text):
    """What two readers could understand differently is flagged and gives no part to match."""
    place = normalize(text, kind)

    assert not place.ok
    assert place.problem
    assert (place.text, place.scheme, place.host, place.port, place.path) == ("", "", "", 0, "")


@given(st.text(max_size=80), st.sampled_from(["path", "url", "host"]))
def test_total_and_idempotent(text, kind):
    """Any text gets an answer, and a normal path's normal form is itself."""
    place = normalize(text, kind)

    if place.ok and kind == "path" and not place.scheme:
        assert normalize(place.text, kind).text == place.text
    if place.ok and place.host and place.scheme in ("http", "https") and "%" not in place.path:
        assert ".." not in place.path.split("/")


_SEGMENT = st.sampled_from(["..", ".", "", "a", "b", "etc", "data"])


@given(st.lists(_SEGMENT, max_size=12))
def test_prefix_rule_cannot_be_walked_around(segments):
    """A path that normalizes under `/data/` is under `/data/` for a reader that walks it."""
    text = "/data/" + "/".join(segments)
    walked: list[str] = []
    for segment in text.split("/"):
        if segment == "..":
            del walked[-1:]
        elif segment not in ("", "."):
            walked.append(segment)

    assert normalize(text, "path").path == "/" + "/".join(walked)


@pytest.mark.parametrize(
    ("name", "text_format", "declared", "kind"),
    [
        ("file_path", "", None, "path"),
        ("filePath", "", None, "path"),
        ("path", "", False, None),
        ("target", "", "host", "host"),
        ("x", "uri", None, "url"),
        ("webhookUrl", "", None, "url"),
        ("hostname", "", None, "host"),
        ("subject", "", None, None),
        ("profile", "", None, None),
    ],
)
def test_which_arguments_are_places(name, text_format, declared, kind):
    """The definition decides, then the format, then whole words of the name."""
    assert place_kind(name, text_format, declared) == kind
