"""Detectors: each type with valid values and with look-alikes whose check digits or form are wrong."""

import re
import time

import pytest
import re2

from sealgate.privacy import Scanner, rules_contact, rules_finance, rules_national, rules_secrets
from sealgate.privacy.rules import WEAK, written
from sealgate.privacy.scanner import RULES, TYPES

SCANNER = Scanner()

VALID = {
    "email": ["ann.o'neil+x@mail.example.org", "bücher@bücher.example"],
    "ip": ["192.168.17.4", "2001:db8::8a2e:370:7334", "10.0.0.0/8"],
    "mac": ["00:1A:2B:3C:4D:5E"],
    "phone": ["+41 44 668 18 00", "(415) 555-0132", "415-555-0132"],
    "card": ["4242 4242 4242 4242", "378282246310005", "6011111111111117"],
    "iban": ["DE89 3704 0044 0532 0130 00", "FR1420041010050500013M02606"],
    "crypto": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
    "us_ssn": ["536-22-8726"],
    "us_itin": ["912-70-1234"],
    "us_mbi": ["1EG4-TE5-MK72"],
    "uk_nino": ["AB 12 34 56 C"],
    "de_vat": ["DE136695976"],
    "es_nif": ["12345678Z"],
    "es_nie": ["X1234567L"],
    "fi_person": ["131052-308T"],
    "it_fiscal": ["RSSMRA85T10A562S"],
    "kr_brn": ["220-81-62517"],
    "sg_nric": ["S1234567D", "F1234567N"],
    "in_gstin": ["27AAPFU0939F1ZV"],
    "in_pan": ["AAPFU0939F"],
}
INVALID = {
    "email": ["ann at example.org", "@example.org"],
    "ip": ["192.168.17.400", "1.2.3.4.5", "2001:db8:::1"],
    "mac": ["00:1A:2B:3C:4D"],
    "phone": ["2026-11-21", "12"],
    "card": ["4242 4242 4242 4241", "1234567812345670"],
    "iban": ["DE88 3704 0044 0532 0130 00", "FR1420041010050500013M0260"],
    "crypto": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"],
    "us_ssn": ["000-22-8726", "666-22-8726", "536-00-8726", "078-05-1120"],
    "us_itin": ["912-66-1234"],
    "us_mbi": ["1EG4-LE5-MK72"],
    "uk_nino": ["BG 12 34 56 C"],
    "de_vat": ["DE136695977"],
    "es_nif": ["12345678A"],
    "es_nie": ["X1234567A"],
    "fi_person": ["131052-308U", "310252-308T"],
    "it_fiscal": ["RSSMRA85T10A562T"],
    "kr_brn": ["220-81-62518"],
    "sg_nric": ["S1234567A", "F1234567A"],
    "in_gstin": ["40AAPFU0939F1ZV"],
    "in_pan": ["AAPXU0939F"],
}
IN_CONTEXT = {
    "us_npi": ("provider NPI 1234567893", "provider NPI 1234567894"),
    "us_aba": ("routing number 121000358", "routing number 121000359"),
    "ca_sin": ("social insurance 435 418 165", "social insurance 435 418 166"),
    "uk_nhs": ("NHS 943 476 5919", "NHS 943 476 5918"),
    "au_abn": ("ABN 51 824 753 556", "ABN 52 824 753 556"),
    "au_acn": ("ACN 000 000 019", "ACN 000 000 018"),
    "au_tfn": ("tax file number 876 543 210", "tax file number 876 543 211"),
    "au_medicare": ("medicare 2123 45670 1", "medicare 2123 45680 1"),
    "de_tax_id": ("Steuer-ID 86095742719", "Steuer-ID 86095742718"),
    "de_health": ("Krankenkasse A123456780", "Krankenkasse A123456781"),
    "de_pension": ("Rente 15070649C103", "Rente 15070649C104"),
    "de_passport": ("Reisepass C01X00T41", "Reisepass C01X00T42"),
    "in_aadhaar": ("aadhaar 3123 4567 8909", "aadhaar 3123 4567 8908"),
    "it_vat": ("partita IVA 00743110157", "partita IVA 00743110158"),
    "kr_rrn": ("RRN 960121-1021413", "RRN 960121-1021414"),
    "ng_nin": ("NIN 12345678902", "NIN 12345678901"),
    "pl_pesel": ("pesel 44051401458", "pesel 44051401459"),
    "se_person": ("personnummer 871220-2384", "personnummer 871220-2385"),
    "se_organisation": ("organisationsnummer 556703-7485", "organisationsnummer 556703-7486"),
    "th_person": ("thai id 3456789012347", "thai id 3456789012348"),
    "tr_person": ("TC kimlik 10000000146", "TC kimlik 10000000147"),
    "za_person": ("RSA 8001015009087", "RSA 8001015009088"),
    "birth_date": ("she was born on April 5, 1990", "she left on April 5, 1990"),
}


def _found(text: str, kind: str, scanner: Scanner = SCANNER) -> list[str]:
    return [text[finding.start : finding.end] for finding in scanner.find(text) if finding.type == kind]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in VALID.items() for value in values])
def test_finds_what_is_valid(kind, value):
    """A valid value is found, in a sentence and alone, exactly."""
    assert _found(f"Here it is: {value}, as asked.", kind) == [value]
    assert _found(value, kind) == [value]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in INVALID.items() for value in values])
def test_leaves_look_alikes(kind, value):
    """What has the form without the check digits, or half of the form, is no finding of that type."""
    assert _found(f"Here it is: {value}, as asked.", kind) == []


@pytest.mark.parametrize(("kind", "pair"), IN_CONTEXT.items())
def test_finds_in_context_what_is_valid(kind, pair):
    """Numbers that look like many others are found where the words around say what they are, if their digits agree."""
    good, bad = pair

    alone = Scanner([kind])
    assert len(_found(good, kind, alone)) == 1
    assert _found(bad, kind, Scanner([kind], minimum=WEAK)) == []


def test_name_of_the_field_is_context():
    """The same number is found or not by the name of the field that holds it."""
    assert [f.type for f in SCANNER.find("1990-04-05", hint="date_of_birth")] == ["birth_date"]
    assert [f.type for f in SCANNER.find("44051401458", hint="pesel")] == ["pl_pesel"]
    assert SCANNER.find("1990-04-05", hint="departure") == []


def test_every_type_has_a_test_or_is_form_alone():
    """No type with check digits goes without a valid and an invalid value here."""
    checked = {rule.type for rule in RULES if rule.check is not None or rule.extend is not None}
    exempt = {"secret", "jwt", "private_key", "de_physician", "de_id_card", "ph_tin", "kr_frn"}

    assert checked - set(VALID) - set(IN_CONTEXT) == exempt
    assert set(VALID) == set(INVALID)


def test_all_patterns_are_re2():
    """Every pattern of every rule compiles in re2, and no module of the package uses Python's own matcher."""
    modules = (rules_contact, rules_finance, rules_national, rules_secrets)

    assert sum(len(module.RULES) for module in modules) == len(RULES) > 150
    for rule in RULES:
        re2.compile(written(rule))
    with pytest.raises(re2.error):
        re2.compile(r"(a)\1")


def test_package_does_not_import_the_backtracking_matcher():
    """No module of the package imports ``re``; the pure layer has nothing that can take exponential time."""
    import pathlib

    import sealgate.privacy

    sources = list(pathlib.Path(sealgate.privacy.__file__).parent.glob("*.py"))
    offenders = [p.name for p in sources if re.search(r"^\s*(import|from) (re|regex)\b", p.read_text(), re.MULTILINE)]

    assert len(sources) > 10
    assert offenders == []


@pytest.mark.parametrize(
    "piece", ["a", "1", "a@", "1 ", "%41", "::", "aB", "key=", "-----BEGIN PRIVATE KEY-----", "+1 "]
)
def test_time_is_linear(piece):
    """Ten times the text takes about ten times as long, not a hundred times, whatever it repeats."""

    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        SCANNER.find(text)
        started = time.process_time()
        SCANNER.find(text)
        return time.process_time() - started

    small, large = min(seconds(10_000) for _ in range(3)), seconds(100_000)

    assert large < 40 * max(small, 0.002)


def test_types_are_named_once():
    """Types are lower-case names."""
    assert len(TYPES) == len(set(TYPES))
    assert all(name.replace("_", "a").isalnum() and name == name.lower() for name in TYPES)
