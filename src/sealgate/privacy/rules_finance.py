"""Payment: cards by issuer range and Luhn, IBAN, bank routing numbers, crypto-currency addresses."""

from typing import Final

from .checksums import base58_check, bech32, digits, iban, luhn, same_digit
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
_MAESTRO: Final = ("50", "56", "57", "58", "59", "60", "61", "62", "63", "64", "65", "66", "67", "68", "69")


def card(text: str) -> bool:
    """Tell whether a number is in an issuer's range with that issuer's length, and Luhn agrees."""
    number = digits(text)
    if not any(len(number) in lengths and first <= number[: len(first)] <= last for first, last, lengths in _RANGES):
        return False
    return luhn(number) and not same_digit(number)


def maestro(text: str) -> bool:
    """Tell whether a number could be a Maestro card: 12 to 19 digits, a wide range of first digits, Luhn."""
    number = digits(text)
    return number[:2] in _MAESTRO and luhn(number) and not same_digit(number)


RULES: Final = (
    Rule(
        "card",
        r"\d{4}([ \-])\d{4}[ \-]\d{4}[ \-]\d{4}(?:[ \-]\d{3})?|\d{4}[ \-]\d{6}[ \-]\d{4,5}|\d{13,19}",
        LIKELY + 0.1,
        card,
    ),
    Rule("card", r"\d{12,19}", WEAK, maestro, _CARD_WORDS, LIKELY),
    Rule("iban", r"(?i)[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,4})?", SURE, iban),
    Rule("us_aba", r"\d{4}-\d{4}-\d|\d{9}", WEAK, us_aba, r"routing|\baba\b|\brtn\b|transit|bank", LIKELY),
    Rule("crypto", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}", SURE, base58_check),
    Rule("crypto", r"bc1[02-9ac-hj-np-z]{8,87}", SURE, bech32),
    Rule("us_bank", r"\d{8,17}", WEAK - 0.1, None, r"bank account|account (?:number|no)|acct|checking|savings", LIKELY),
)
"""In the order in which they are tried."""
