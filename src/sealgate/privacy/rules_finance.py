"""Payment: cards by issuer range and Luhn, IBAN, bank routing numbers, crypto-currency addresses."""

from typing import Final

from .checksums import IBAN_LENGTHS, base58_check, bech32, digits, iban, luhn, same_digit
from .national import us_aba
from .rules import LIKELY, SURE, WEAK, Rule

_CARD_WORDS: Final = (
    r"card|\bcc\b|credit|debit|visa|master|maestro|amex|discover|\bpan\b|payment|karte|carte|tarjeta|\bpay"
)

# Issuer ranges: (first, last, lengths); first and last have the same number of digits.
_RANGES: Final = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14, 16)),  # Diners Club
    ("3095", "3095", (14, 16)),
    ("36", "36", (14, 16)),
    ("38", "39", (14, 16)),
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "649", (16, 19)),
    ("65", "65", (16, 19)),
    ("3528", "3589", (16, 19)),  # JCB
    ("2131", "2131", (15,)),
    ("1800", "1800", (15,)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("2200", "2204", (16,)),  # Mir
)


def card(text: str) -> bool:
    """Tell whether a number is in an issuer's range with that issuer's length, and Luhn agrees."""
    number = digits(text)
    if not any(len(number) in lengths and first <= number[: len(first)] <= last for first, last, lengths in _RANGES):
        return False
    return luhn(number) and not same_digit(number)


def like_card(text: str) -> bool:
    """Tell whether a number could be a card of any issuer: 12 to 19 digits, a first digit of cards, Luhn."""
    number = digits(text)
    return number[0] in "23456" and luhn(number) and not same_digit(number)


def iban_end(text: str, start: int) -> int:
    """Return where the IBAN that starts here ends, or 0: its country says how many characters it has."""
    wanted = IBAN_LENGTHS.get(text[start : start + 2].upper(), 0)
    if not wanted:
        return 0
    plain = text[start : start + wanted]
    if len(plain) == wanted and plain.isascii() and plain.isalnum():  # as machines write it
        return start + wanted if iban(plain) else 0
    have = 0
    for at in range(start, min(len(text), start + 2 * wanted)):
        character = text[at]
        if character.isascii() and character.isalnum():
            have += 1
            if have == wanted:
                return at + 1 if iban(text[start : at + 1]) else 0
        elif character not in " -":
            return 0
    return 0


RULES: Final = (
    Rule(
        "card",
        r"\d{4}(?:[ \-])\d{4}[ \-]\d{4}[ \-]\d{4}(?:[ \-]\d{3})?|\d{4}[ \-]\d{6}[ \-]\d{4,5}|\d{13,19}",
        LIKELY + 0.1,
        card,
    ),
    Rule("card", r"\d{12,19}", WEAK, like_card, _CARD_WORDS, LIKELY),
    Rule("iban", r"(?i)\b[A-Z]{2}\d{2}[ \-]?[A-Z0-9]{4}", SURE, extend=iban_end),
    Rule("us_aba", r"\d{4}-\d{4}-\d|\d{9}", WEAK, us_aba, r"routing|\baba\b|\brtn\b|transit|bank", LIKELY),
    Rule("crypto", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}", SURE, base58_check),
    Rule("crypto", r"bc1[02-9ac-hj-np-z]{8,87}", SURE, bech32),
    Rule("us_bank", r"\d{8,17}", WEAK, None, r"bank account|account (?:number|no)|acct|checking|savings", LIKELY),
)
"""In the order in which they are tried."""
