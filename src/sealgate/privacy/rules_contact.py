"""How people and machines are reached: e-mail, telephone, IP and MAC addresses, URLs with credentials, birth dates."""

import ipaddress
from typing import Final

from .checksums import digits
from .rules import LIKELY, SURE, WEAK, Rule, compile_pattern

_EMAIL: Final = (
    r"[\pL\pN._%+\-!#$&*/=?^{|}~']{0,63}[\pL\pN_%+\-!#$&*=?^{|}~]@(?:[\pL\pN](?:[\pL\pN\-]{0,62}[\pL\pN])?\.)+"
    r"(?:\pL{2,24}|xn--[a-z0-9\-]{2,59})"
)
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"
_IPV6: Final = rf"(?:(?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUP}:){{6}}{_IPV4}|(?:{_GROUP}(?::{_GROUP}){{0,6}})?::)"
_IPV6_CHARACTERS: Final = frozenset("0123456789abcdefABCDEF:.")
_IPV6_MOST: Final = 45
_IPV6_SUFFIX: Final = compile_pattern(r"(?:%[0-9A-Za-z]{1,15})?(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])\b)?")

_PHONE_WORDS: Final = (
    r"phone|mobile|\bcell|\btel\b|tel[.:]|telephone|\bfax|\bdesk\b|\bcall|\bdial|answer|\btext(?:ing|ed)?\b|\bsms\b|message|"
    r"whatsapp|contact|registered|\bring\b|reach|hotline|landline|extension|telefon|handy|rufnummer|tel[eé]fono|m[oó]vil|"
    r"t[eé]l[eé]phone|portable|cellulare|telefone|telemóvel|puhelin|telefonnummer|numara|cep\b"
)
_BIRTH: Final = r"birth|\bd\.?o\.?b\b|geboren|geburt|naissance|\bn[ée]e? le|nacimiento|nascita|syntym|f[öø]d[dt]"
_MONTHS: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE: Final = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})|"
    rf"{_MONTHS}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?{_MONTHS}\.?,? \d{{4}}"
)


def _ip6_end(text: str, start: int) -> int:
    """Return where the IPv6 address that starts here ends, with zone and prefix length, or 0."""
    if text[start - 1 : start] in {":", "."}:
        return 0
    end = start
    while end < len(text) and text[end] in _IPV6_CHARACTERS and end - start <= _IPV6_MOST:
        end += 1
    while text[end - 1 : end] == ".":
        end -= 1
    try:
        ipaddress.IPv6Address(text[start:end])
    except ValueError:
        return 0
    suffix = _IPV6_SUFFIX.match(text[end : end + 20])
    return end + len(suffix.group()) if suffix is not None else end


def _long_ip6_end(text: str, start: int) -> int:
    end = _ip6_end(text, start)
    return end if end - start > 3 else 0


def _phone(text: str) -> bool:
    number = digits(text)
    return 7 <= len(number) <= 15 and len(set(number)) > 2


def _not_date(text: str) -> bool:
    """Tell whether groups of digits are no date, and enough for a local number."""
    number = digits(text)
    if not 7 <= len(number) <= 15 or len(set(number)) < 3:
        return False
    groups = "".join(character if "0" <= character <= "9" else " " for character in text).split()
    sizes = [len(group) for group in groups]
    year = any(len(group) == 4 and group[:2] in {"19", "20"} for group in (groups[0], groups[-1]))
    return not (len(groups) == 3 and sorted(sizes) in ([2, 2, 4], [1, 2, 4], [1, 1, 4]) and year)


RULES: Final = (
    Rule("email", _EMAIL, SURE, apart=False),
    Rule("ip", rf"{_IPV4}(?:/\d{{1,2}})?", SURE),
    Rule("ip", _IPV6, SURE, extend=_long_ip6_end, edges="none"),
    Rule(
        "ip",
        "::",
        WEAK,
        context=r"\bip|\bsrc|\bdst|host|addr|connect|listen|bind|server",
        extend=_ip6_end,
        edges="none",
    ),
    Rule("mac", r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}", SURE),
    Rule("mac", r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}", LIKELY),
    # International: a plus, or two zeros, and a country.
    Rule("phone", r"\b00[1-9](?:[ .\-/]{0,2}\(?\d\)?){7,13}", LIKELY - 0.1, _phone, apart=False),
    Rule("phone", r"\+[1-9](?:[ .\-/]{0,2}\(?\d\)?){6,14}(?:x\d{1,6})?", LIKELY + 0.1, _phone, apart=False),
    # North America.
    Rule("phone", r"\([2-9]\d{2}\) ?[2-9]\d{2}[-. ]\d{4}(?:x\d{1,6})?", LIKELY + 0.1, _phone, apart=False),
    Rule("phone", r"(?:\b\d{1,3}[-. ])?[2-9]\d{2}[-.][2-9]\d{2}[-.]\d{4}(?:x\d{1,6})?", LIKELY, _phone, apart=False),
    # Mobile numbers that begin alike in a whole country: China, the Philippines, Turkey.
    Rule("phone", r"1[3-9]\d{9}", WEAK, _phone, _PHONE_WORDS + r"|number"),
    Rule("phone", r"09\d{2}[ \-]?\d{3}[ \-]?\d{4}", LIKELY - 0.1, _phone),
    Rule("phone", r"0 ?\(?[2-5]\d{2}\)?[ .\-]?\d{3}[ .\-]?\d{2}[ .\-]?\d{2}", LIKELY - 0.1, _phone),
    Rule("phone", r"\(?5\d{2}\)?[ .\-]?\d{3}[ .\-]?\d{2}[ .\-]?\d{2}", WEAK, _phone, _PHONE_WORDS, edges="none"),
    # Groups of digits where the words around say so.
    Rule(
        "phone",
        r"\(?\d{1,5}\)?(?:[ .\-/]{1,2}\(?\d{1,4}\)?){0,6}[ .\-/]\d{2,10}(?:x\d{1,6})?|\d{7,13}",
        WEAK - 0.1,
        _not_date,
        _PHONE_WORDS,
        LIKELY,
        edges="none",
    ),
    Rule(
        "birth_date",
        rf"(?i)(?:\bborn\b|{_BIRTH})"
        rf"[^0-9\n]{{0,30}}?\b({_DATE})",
        SURE,
        group=1,
    ),
    Rule("birth_date", rf"(?i)(?:{_DATE})", WEAK - 0.1, None, _BIRTH, by_name=True),
    Rule(
        "url_credentials",
        r"[A-Za-z][A-Za-z0-9+.\-]{1,20}://([^\s:@/'\"<>]+:[^\s@/'\"<>]+)@[^\s'\"<>]",
        SURE + 0.05,
        group=1,
    ),
)
"""In the order in which they are tried."""
