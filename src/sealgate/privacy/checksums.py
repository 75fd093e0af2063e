"""Check digits. Each function takes the bare value (no separators) and tells whether its check digits are right."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}

IBAN_LENGTHS: Final = {
    "AD": 24,
    "AE": 23,
    "AL": 28,
    "AT": 20,
    "AZ": 28,
    "BA": 20,
    "BE": 16,
    "BG": 22,
    "BH": 22,
    "BI": 27,
    "BR": 29,
    "BY": 28,
    "CH": 21,
    "CR": 22,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DJ": 27,
    "DK": 18,
    "DO": 28,
    "EE": 20,
    "EG": 29,
    "ES": 24,
    "FI": 18,
    "FK": 18,
    "FO": 18,
    "FR": 27,
    "GB": 22,
    "GE": 22,
    "GI": 23,
    "GL": 18,
    "GR": 27,
    "GT": 28,
    "HN": 28,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IL": 23,
    "IQ": 23,
    "IS": 26,
    "IT": 27,
    "JO": 30,
    "KW": 30,
    "KZ": 20,
    "LB": 28,
    "LC": 32,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "LY": 25,
    "MC": 27,
    "MD": 24,
    "ME": 22,
    "MK": 19,
    "MN": 20,
    "MR": 27,
    "MT": 31,
    "MU": 30,
    "NI": 28,
    "NL": 18,
    "NO": 15,
    "OM": 23,
    "PK": 24,
    "PL": 28,
    "PS": 29,
    "PT": 25,
    "QA": 29,
    "RO": 24,
    "RS": 22,
    "RU": 33,
    "SA": 24,
    "SC": 31,
    "SD": 18,
    "SE": 24,
    "SI": 19,
    "SK": 24,
    "SM": 27,
    "SO": 23,
    "ST": 25,
    "SV": 28,
    "TL": 23,
    "TN": 24,
    "TR": 26,
    "UA": 29,
    "VA": 22,
    "VG": 24,
    "XK": 20,
    "YE": 30,
}
"""Characters of an IBAN of each country."""
_IBAN_DIGITS_ONLY: Final = frozenset(
    {
        "AE",
        "AT",
        "BA",
        "BE",
        "CR",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FO",
        "GL",
        "HR",
        "HU",
        "IL",
        "IS",
        "LT",
        "ME",
        "MN",
        "NO",
        "PL",
        "PT",
        "RS",
        "SE",
        "SI",
        "SK",
        "TL",
        "TN",
        "VA",
        "XK",
    }
)
"""Countries whose account part has digits alone."""

_VERHOEFF_D: Final = tuple(
    tuple(int(digit) for digit in row)
    for row in (
        "0123456789",
        "1234067895",
        "2340178956",
        "3401289567",
        "4012395678",
        "5987604321",
        "6598710432",
        "7659821043",
        "8765932104",
        "9876543210",
    )
)
_VERHOEFF_P: Final = tuple(
    tuple(int(digit) for digit in row)
    for row in (
        "0123456789",
        "1576283094",
        "5803796142",
        "8916043527",
        "9453126870",
        "4286573901",
        "2793806415",
        "7046913258",
    )
)


_NO_DIGITS: Final = bytes(byte for byte in range(128) if not 48 <= byte <= 57)
_NO_ALPHANUMERICS: Final = bytes(byte for byte in range(128) if chr(byte) not in _VALUES)
_AS_NUMBERS: Final = str.maketrans({character: str(value) for character, value in _VALUES.items()})


def digits(text: str) -> str:
    """Return the ASCII digits of a text."""
    if text.isascii():  # ten times faster, and these checks are most of what a suspicious text costs
        return text.encode("ascii").translate(None, _NO_DIGITS).decode("ascii")
    return "".join(character for character in text if "0" <= character <= "9")


def alphanumerics(text: str) -> str:
    """Return the ASCII letters and digits of a text, in upper case."""
    if text.isascii():
        return text.upper().encode("ascii").translate(None, _NO_ALPHANUMERICS).decode("ascii")
    return "".join(character for character in text.upper() if character in _VALUES)


def luhn(number: str) -> bool:
    """Tell whether the last digit is right by Luhn's formula (ISO/IEC 7812-1)."""
    total = 0
    for position, character in enumerate(reversed(number)):
        value = ord(character) - 48
        if position % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def weighted(number: str, weights: Iterable[int]) -> int:
    """Return the sum of digit times weight over as many digits as there are weights."""
    return sum((ord(character) - 48) * weight for character, weight in zip(number, weights, strict=False))


def mod_97(text: str) -> bool:
    """Tell whether a text, letters as 10 to 35, is 1 modulo 97 (ISO 7064, MOD 97-10)."""
    return int(text.translate(_AS_NUMBERS)) % 97 == 1


def iban(text: str) -> bool:
    """Tell whether a text is an IBAN (ISO 13616): a country's length and form, and its check digits."""
    value = alphanumerics(text)
    country = value[:2]
    if IBAN_LENGTHS.get(country) != len(value) or not value[2:4].isdigit():
        return False
    if country in _IBAN_DIGITS_ONLY and not value[4:].isdigit():
        return False
    return mod_97(value[4:] + value[:4])


def mod_11_10(number: str) -> bool:
    """Tell whether the last digit is right by ISO 7064, MOD 11,10."""
    product = 10
    for character in number[:-1]:
        total = (ord(character) - 48 + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == ord(number[-1]) - 48


def verhoeff(number: str) -> bool:
    """Tell whether the last digit is right by Verhoeff's scheme."""
    state = 0
    for position, character in enumerate(reversed(number)):
        state = _VERHOEFF_D[state][_VERHOEFF_P[position % 8][ord(character) - 48]]
    return state == 0


def same_digit(number: str) -> bool:
    """Tell whether all characters are one: such numbers are examples, whatever their check digit says."""
    return len(set(number)) == 1


def luhn_36(text: str) -> bool:
    """Tell whether the last character is right by the modulus-36 Luhn variant of Indian tax numbers."""
    total = 0
    for position, character in enumerate(text):
        product = _VALUES[character] * (1 + position % 2)
        total += product // 36 + product % 36
    return total % 36 == 0


def mod_10_mrz(text: str) -> bool:
    """Tell whether the last digit is right by the weights 7, 3, 1 of travel documents (ICAO 9303)."""
    total = sum(_VALUES[character] * (7, 3, 1)[position % 3] for position, character in enumerate(text[:-1]))
    return text[-1:].isdigit() and total % 10 == int(text[-1])


def is_date(year: int, month: int, day: int) -> bool:
    """Tell whether a date exists (Gregorian calendar)."""
    if not (1 <= month <= 12 and day >= 1):
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths: Sequence[int] = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return day <= lengths[month - 1]


_BASE58: Final = {c: n for n, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BECH32: Final = {c: n for n, c in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_BECH32_STEPS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_ENDS: Final = (1, 0x2BC830A3)  # Bech32 and Bech32m


def base58_check(text: str) -> bool:
    """Tell whether a text is Base58Check over 25 bytes: a Bitcoin address of the old forms."""
    number = 0
    for character in text:
        number = number * 58 + _BASE58[character]
    if number.bit_length() > 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def bech32(text: str) -> bool:
    """Tell whether a text is Bech32 or Bech32m (BIP 173, BIP 350)."""
    lower = text.lower()
    human, _, data = lower.rpartition("1")
    if len(data) < 6 or not human or any(character not in _BECH32 for character in data):
        return False
    values = [ord(c) >> 5 for c in human] + [0] + [ord(c) & 31 for c in human] + [_BECH32[c] for c in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            check ^= step if top >> bit & 1 else 0
    return check in _BECH32_ENDS
