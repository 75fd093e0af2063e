"""Numbers that states give to people: what makes each valid. Functions take what their rule's pattern matched."""

from collections.abc import Callable
from typing import Final

from .checksums import (
    alphanumerics,
    digits,
    is_date,
    luhn,
    luhn_36,
    mod_10_mrz,
    mod_11_10,
    same_digit,
    verhoeff,
    weighted,
)

Check = Callable[[str], bool]

_LETTERS_23: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_FI_MARKS: Final = {"+": 1800, **dict.fromkeys("-YXWVU", 1900), **dict.fromkeys("ABCDEF", 2000)}
_FI_CHECK: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_IT_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        bytes.fromhex("01000507090d0f1113150100 0507090d0f1113150204 12140b030608 0c0e100a161918 17"),
        strict=True,
    )
)
_SG_CITIZEN: Final = "JZIHGFEDCBA"
_SG_FOREIGN: Final = "XWUTRQPNMLK"
_SG_MONTHLY: Final = "XWUTRQPNJLK"


def us_ssn(text: str) -> bool:
    """United States social security number: area, group and serial in use; the numbers of advertisements are none."""
    number = digits(text)
    if number in {"078051120", "219099999", "457555462", "123456789", "987654321"} or same_digit(number):
        return False
    return number[:3] not in {"000", "666"} and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def us_itin(text: str) -> bool:
    """United States individual taxpayer number: 9, and a group that was given out."""
    group = int(digits(text)[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99


def us_npi(text: str) -> bool:
    """United States provider number: Luhn over 80840 and the number."""
    number = digits(text)
    return number[0] in "12" and not same_digit(number) and luhn("80840" + number)


def us_aba(text: str) -> bool:
    """United States bank routing number: weights 3, 7, 1."""
    number = digits(text)
    return not same_digit(number) and weighted(number, (3, 7, 1) * 3) % 10 == 0


def ca_sin(text: str) -> bool:
    """Canadian social insurance number: Luhn, first digit in use."""
    number = digits(text)
    return number[0] not in "08" and not same_digit(number) and luhn(number)


def uk_nhs(text: str) -> bool:
    """British health service number: weights 10 to 2, modulus 11."""
    number = digits(text)
    return not same_digit(number) and weighted(number, range(10, 0, -1)) % 11 == 0


def uk_nino(text: str) -> bool:
    """British national insurance number: no prefix that is never given out."""
    prefix = alphanumerics(text)[:2]
    return (
        prefix not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
        and not set(prefix) & set("DFIQUV")
        and prefix[1] != "O"
    )


def au_abn(text: str) -> bool:
    """Australian business number: modulus 89."""
    number = digits(text)
    return number[0] != "0" and (weighted(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0


def au_acn(text: str) -> bool:
    """Australian company number: weights 8 to 1, modulus 10."""
    number = digits(text)
    return (weighted(number, range(8, 0, -1)) + int(number[8])) % 10 == 0 and not same_digit(number)


def au_tfn(text: str) -> bool:
    """Australian tax file number: modulus 11."""
    number = digits(text)
    return not same_digit(number) and weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def au_medicare(text: str) -> bool:
    """Australian medical card: first digit 2 to 6, weights, modulus 10."""
    number = digits(text)
    return number[0] in "23456" and weighted(number, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])


def de_tax_id(text: str) -> bool:
    """German tax number of a person: a digit or two that repeat, ISO 7064 MOD 11,10."""
    number = digits(text)
    return number[0] != "0" and not same_digit(number) and mod_11_10(number)


def de_vat(text: str) -> bool:
    """German turnover tax number: ISO 7064 MOD 11,10."""
    return mod_11_10(digits(text))


def de_health(text: str) -> bool:
    """German health insurance number: the letter as two digits, weights 1 and 2 alternating."""
    value = alphanumerics(text)
    number = f"{ord(value[0]) - 64:02d}{value[1:-1]}"
    total = sum(sum(map(int, str(int(digit) * (1 + position % 2)))) for position, digit in enumerate(number))
    return total % 10 == int(value[-1])


def de_pension(text: str) -> bool:
    """German pension insurance number: a date and weighted cross sums."""
    value = alphanumerics(text)
    day, month = int(value[2:4]), int(value[4:6])
    if not (1 <= (day - 50 if day > 50 else day) <= 31 and 1 <= month <= 12):
        return False
    number = value[:8] + f"{ord(value[8]) - 64:02d}" + value[9:11]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(sum(map(int, str(int(digit) * weight))) for digit, weight in zip(number, weights, strict=True))
    return total % 10 == int(value[11])


def de_document(text: str) -> bool:
    """German passport and identity card: check digit of travel documents where there are ten characters or nine."""
    return mod_10_mrz(alphanumerics(text))


def de_physician(text: str) -> bool:
    """German physician's number: weights 4 and 9, modulus 10."""
    number = digits(text)
    total = weighted(number[:6], (4, 9, 4, 9, 4, 9))
    return (10 - total % 10) % 10 == int(number[6])


def es_nif(text: str) -> bool:
    """Spanish identity number: control letter by modulus 23."""
    value = alphanumerics(text)
    return _LETTERS_23[int(value[:-1]) % 23] == value[-1]


def es_nie(text: str) -> bool:
    """Spanish number of a foreigner: X, Y, Z as 0, 1, 2, then as the identity number."""
    value = alphanumerics(text)
    return es_nif(f"{'XYZ'.index(value[0])}{value[1:]}")


def fi_person(text: str) -> bool:
    """Finnish personal identity code: date and control character by modulus 31."""
    value = text.upper()
    date = is_date(_FI_MARKS[value[6]] + int(value[4:6]), int(value[2:4]), int(value[:2]))
    serial = int(value[7:10])
    return date and serial >= 2 and _FI_CHECK[int(value[:6] + value[7:10]) % 31] == value[10]


def in_aadhaar(text: str) -> bool:
    """Indian identity number: Verhoeff, first digit 2 to 9, no palindrome."""
    number = digits(text)
    return number[0] not in "01" and number != number[::-1] and verhoeff(number)


def in_gstin(text: str) -> bool:
    """Indian goods and services tax number: a state's number, a permanent account number inside; `Z` fourteenth."""
    state = int(text[:2])
    return 1 <= state <= 38 or state in {97, 99}


def in_gstin_checked(text: str) -> bool:
    """Tell whether an Indian goods and services tax number has also the right check character."""
    return luhn_36(text.upper())


def it_fiscal(text: str) -> bool:
    """Italian fiscal code: control letter of odd and even places."""
    value = text.upper()
    total = 0
    for position, character in enumerate(value[:15]):
        even = int(character) if character.isdigit() else ord(character) - 65
        total += even if position % 2 else _IT_ODD[character]
    return chr(65 + total % 26) == value[15]


def it_vat(text: str) -> bool:
    """Italian turnover tax number: Luhn, not zero."""
    number = digits(text)
    return number != "0" * 11 and luhn(number)


def kr_resident(text: str) -> bool:
    """Korean resident number: a date of birth, a century, a check digit (before October 2020) for the born earlier."""
    number = digits(text)
    return number[6] in "1234" and _kr_date(number) and (11 - _kr_sum(number)) % 10 == int(number[12])


def kr_foreigner(text: str) -> bool:
    """Korean number of a foreigner: as a resident's, with 5 to 8 and another modulus."""
    number = digits(text)
    return number[6] in "5678" and _kr_date(number) and (13 - _kr_sum(number)) % 10 == int(number[12])


def _kr_sum(number: str) -> int:
    return weighted(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11


def _kr_date(number: str) -> bool:
    century = 2000 if number[6] in "3478" else 1900
    return is_date(century + int(number[:2]), int(number[2:4]), int(number[4:6]))


def kr_business(text: str) -> bool:
    """Korean business number."""
    number = digits(text)
    total = weighted(number, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(number[8]) * 5 // 10
    return not same_digit(number) and (10 - total % 10) % 10 == int(number[9])


def pl_pesel(text: str) -> bool:
    """Polish number of a person: date with its century in the month, weights 1, 3, 7, 9."""
    number = digits(text)
    month = int(number[2:4])
    date = 1 <= month % 20 <= 12 and 1 <= int(number[4:6]) <= 31
    return date and weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def se_person(text: str) -> bool:
    """Swedish number of a person: date (day plus 60 for coordination numbers), Luhn over ten digits."""
    number = digits(text)[-10:]
    month, day = int(number[2:4]), int(number[4:6])
    return 1 <= month <= 12 and 1 <= (day - 60 if day > 60 else day) <= 31 and luhn(number)


def se_organisation(text: str) -> bool:
    """Swedish number of an organisation: third digit at least 2, Luhn."""
    number = digits(text)
    return number[2] >= "2" and number[0] != "0" and luhn(number)


def sg_person(text: str) -> bool:
    """Singapore identity number: weights, with an offset by series; series that are not of persons have none."""
    value = text.upper()
    total = weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(value[0], 0)
    letters = _SG_CITIZEN if value[0] in "ST" else _SG_MONTHLY if value[0] == "M" else _SG_FOREIGN
    return letters[total % 11] == value[8]


def th_person(text: str) -> bool:
    """Thai identity number: first digit 1 to 8, province from 10, weights 13 to 2, modulus 11."""
    number = digits(text)
    if number[0] in "09" or same_digit(number) or not 10 <= int(number[1:3]) <= 96:
        return False
    return (11 - weighted(number[:12], range(13, 1, -1)) % 11) % 10 == int(number[12])


def tr_person(text: str) -> bool:
    """Turkish identity number: two check digits."""
    number = [int(digit) for digit in digits(text)]
    tenth = (sum(number[0:9:2]) * 7 - sum(number[1:8:2])) % 10
    return number[0] != 0 and tenth == number[9] and sum(number[:10]) % 10 == number[10]


def za_person(text: str) -> bool:
    """South African identity number: date, citizenship 0 to 2, Luhn."""
    number = digits(text)
    date = is_date(2000 if number[:2] == "00" else 1900 + int(number[:2]), int(number[2:4]), int(number[4:6]))
    return date and number[10] in "012" and luhn(number)


def ng_person(text: str) -> bool:
    """Nigerian identity number: Verhoeff."""
    return not same_digit(text) and verhoeff(digits(text))


def ph_tax(text: str) -> bool:
    """Philippine tax number: weights 9 to 2, modulus 11."""
    number = digits(text)
    return number[0] != "6" and weighted(number[:8], range(9, 1, -1)) % 11 == int(number[8])
