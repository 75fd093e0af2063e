"""Reads the labelled personal data of others and counts what detectors find in it.

A label is found where a finding of its type covers it; a finding is right where it touches a label of its type. Labels
whose value is no such value (its check digits fail) count neither way: they are look-alikes made by a generator.
The even half of each list was looked at while the rules were written, the odd half was not: both are reported.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from sealgate.privacy import Scanner, checksums, national, rules_finance
from sealgate.privacy.findings import Finding
from sealgate.privacy.rules import WEAK

VALID: Final[dict[str, Callable[[str], bool]]] = {
    "card": lambda text: checksums.luhn(checksums.digits(text)),
    "iban": checksums.iban,
    "us_ssn": national.us_ssn,
}
LABELS: Final = {
    "EMAIL_ADDRESS": "email",
    "IP_ADDRESS": "ip",
    "US_SSN": "us_ssn",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "PHONE_NUMBER": "phone",
}

SUPPORTED: Final = {
    "ABA_ROUTING_NUMBER": "us_aba", "AU_ABN": "au_abn", "AU_ACN": "au_acn", "AU_MEDICARE": "au_medicare",
    "AU_TFN": "au_tfn", "CA_SIN": "ca_sin", "CREDIT_CARD": "card", "CRYPTO": "crypto",
    "DE_HEALTH_INSURANCE": "de_health", "DE_ID_CARD": "de_id_card", "DE_LANR": "de_physician",
    "DE_PASSPORT": "de_passport", "DE_SOCIAL_SECURITY": "de_pension", "DE_TAX_ID": "de_tax_id", "DE_VAT_ID": "de_vat",
    "EMAIL_ADDRESS": "email", "ES_NIE": "es_nie", "ES_NIF": "es_nif", "ES_PASSPORT": "es_passport",
    "FI_PERSONAL_IDENTITY_CODE": "fi_person", "IBAN_CODE": "iban", "IN_AADHAAR": "in_aadhaar", "IN_GSTIN": "in_gstin",
    "IN_PAN": "in_pan", "IN_PASSPORT": "in_passport", "IN_VOTER": "in_voter", "IP_ADDRESS": "ip",
    "IT_DRIVER_LICENSE": "it_driver_license", "IT_FISCAL_CODE": "it_fiscal", "IT_VAT_CODE": "it_vat",
    "KR_BRN": "kr_brn",
    "KR_DRIVER_LICENSE": "kr_driver_license", "KR_FRN": "kr_frn", "KR_PASSPORT": "kr_passport", "KR_RRN": "kr_rrn",
    "MAC_ADDRESS": "mac", "NG_NIN": "ng_nin", "PH_MOBILE_NUMBER": "phone", "PH_TIN": "ph_tin", "PL_PESEL": "pl_pesel",
    "SE_ORGANISATIONSNUMMER": "se_organisation", "SE_PERSONNUMMER": "se_person", "SG_NRIC_FIN": "sg_nric",
    "SG_UEN": "sg_uen", "TH_TNIN": "th_person", "TR_NATIONAL_ID": "tr_person", "TR_PHONE_NUMBER": "phone",
    "UK_DRIVING_LICENCE": "uk_driving_licence", "UK_NHS": "uk_nhs", "UK_NINO": "uk_nino", "UK_PASSPORT": "uk_passport",
    "US_BANK_NUMBER": "us_bank", "US_DRIVER_LICENSE": "us_driver_license", "US_ITIN": "us_itin", "US_MBI": "us_mbi",
    "US_NPI": "us_npi", "US_PASSPORT": "us_passport", "US_SSN": "us_ssn", "ZA_ID_NUMBER": "za_person",
}  # fmt: skip
"""Recognisers of the vectors that have a detector here. Not supported: names, dates, places, plates, post codes, URLs,
registers of firms, tax numbers of one country's offices."""

CHECKED: Final[dict[str, Callable[[str], bool]]] = VALID | {
    "de_vat": national.de_vat,
    "in_gstin": national.in_gstin,
    "it_fiscal": national.it_fiscal,
    "kr_frn": national.kr_foreigner,
    "sg_nric": lambda text: text[0].upper() in "STFGM" and national.sg_person(text),
    "ph_tin": national.ph_tax,
}
"""What a positive vector's value must pass to count: some vectors have wrong check digits on purpose of their own."""


@dataclass
class Score:
    """What was counted for one type."""

    found: int = 0
    missed: list[str] = field(default_factory=list)
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    excluded: int = 0

    def recall(self) -> float:
        """Return the share of labels that were found."""
        return self.found / max(1, self.found + len(self.missed))

    def precision(self) -> float:
        """Return the share of findings that are right."""
        return self.right / max(1, self.right + len(self.wrong))


def documents(folder: Path) -> list[dict[str, Any]]:
    """Return the labelled documents."""
    loaded: list[dict[str, Any]] = orjson.loads((folder / "pii/presidio_research_synth_v2_dev.json").read_bytes())
    return loaded


def vectors(folder: Path) -> list[dict[str, Any]]:
    """Return the recognisers' vectors."""
    lines = (folder / "pii/presidio_recognizer_vectors.jsonl").read_bytes().splitlines()
    return [orjson.loads(line) for line in lines]


def score_documents(items: Iterable[dict[str, Any]], scanner: Scanner) -> dict[str, Score]:
    """Count labels and findings of each type over documents."""
    scores = {name: Score() for name in LABELS.values()}
    for document in items:
        text = document["full_text"]
        found = scanner.find(text)
        labels = [
            (LABELS[span["entity_type"]], span["start_position"], span["end_position"])
            for span in document["spans"]
            if span["entity_type"] in LABELS
        ]
        for kind, start, end in labels:
            score = scores[kind]
            if kind in VALID and not VALID[kind](text[start:end]):
                score.excluded += 1
            elif any(f.type == kind and f.start <= start and f.end >= end for f in found):
                score.found += 1
            else:
                score.missed.append(
                    text[max(0, start - 40) : start] + "<<" + text[start:end] + ">>" + text[end : end + 15]
                )
        for finding in found:
            if finding.type in scores:
                _judge(scores[finding.type], finding, labels, text)
    return scores


def _judge(score: Score, finding: Finding, labels: list[tuple[str, int, int]], text: str) -> None:
    if any(kind == finding.type and start < finding.end and finding.start < end for kind, start, end in labels):
        score.right += 1
    else:
        score.wrong.append(
            text[max(0, finding.start - 40) : finding.start] + "<<" + text[finding.start : finding.end] + ">>"
        )


def score_vectors(items: Iterable[dict[str, Any]]) -> tuple[Counter[str], Counter[str], list[str], int]:
    """Return per recogniser how many vectors are right and how many there are, which are wrong, how many do not count.

    Each recogniser is tried alone and down to the weakest score, as its own tests do: most vectors are bare numbers,
    for which only the form and the check digits speak.
    """
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    wrong = []
    excluded = 0
    scanners = {name: Scanner([name], minimum=WEAK) for name in set(SUPPORTED.values())}
    for vector in items:
        entity = vector["entities"][0] if len(vector["entities"]) == 1 else ""
        kind = SUPPORTED.get(entity)
        if kind is None:
            continue
        text, spans = vector["text"], vector.get("spans") or []
        expected = vector.get("expected_count")
        expected = len(spans) if expected is None else expected
        if expected and kind in CHECKED and spans and not all(_passes(kind, text[start:end]) for start, end in spans):
            excluded += 1
            continue
        found = scanners[kind].find(text)
        total[entity] += 1
        places = expected == len(spans)
        exact = [[f.start, f.end] for f in found] == spans if places else len(found) == expected
        if len(found) == expected and exact:
            right[entity] += 1
        else:
            wrong.append(
                f"{entity} {text!r:.70} expected {expected} {spans}, found {[(f.start, f.end) for f in found]}"
            )
    return right, total, wrong, excluded


def _passes(kind: str, text: str) -> bool:
    try:
        return rules_finance.card(text) if kind == "card" else CHECKED[kind](text)
    except (ValueError, IndexError, KeyError):
        return False
