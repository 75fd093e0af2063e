"""Bar 4: secrets found among the vectors of gitleaks and detect-secrets, and in encoded copies.

The labels are noisy: the vectors were taken out of other tools' tests, whose expectations hang on file names and on
values that one rule allows and another does not. Which rows count was decided by the rules below before any detector
was tuned, and the even rows alone were looked at while tuning.

A *consistent positive* is a row labelled secret with secret material in it, by its text alone:

- no other row has the same text with the other label;
- the row is not about something that is no secret of a text: a public IP address (found as ``ip``), a PKCS#12 file's
  name, a Kubernetes or NuGet or Freemius file (rule and secret hang on the name of the file or on its other lines);
- a run of at least 8 characters without spaces, quotes and brackets has a digit, or 20 letters of both cases, and more
  than 5 different characters, none of them 8 times in a row (``AKCxxxxxxxxxx`` is a secret in one row, a placeholder in
  others);
- it is no generator's pattern (``[a-z0-9]{30}``), no fragment (unclosed, a bare name of a file, a time, a query's end).

A *plain negative* is a row labelled not secret whose text is not labelled secret elsewhere, and which is not a
well-formed key that the source allows by its exact value (Google's published test keys) or that is another rule's.
"""

import base64
import re
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from bench.harness import Options, Result, data_folder
from sealgate.privacy import Scanner

RECALL_BAR: Final = 0.95
NEGATIVES_BAR: Final = 0.10
COPIES: Final = 100
COPIES_BAR: Final = 90
KINDS: Final = frozenset({"secret", "jwt", "private_key", "url_credentials"})

_BY_FILE: Final = frozenset({"pkcs12-file", "kubernetes-secret-yaml", "nuget-config-password", "freemius-secret-key"})
_RUN: Final = re.compile(r"[^\s\"'`<>()\[\]{},;]{8,}")
_GENERATOR: Final = re.compile(r"\]\{\d|\\[wd]\{|\[\\d")
_FRAGMENT: Final = re.compile(
    r"\s*(?:[\w.\-/]*\.[A-Za-z]\w{1,5}|[\d\-]+T[\d:Z.\-]+|&\w+=\w+|[\w. ]+(?:=|:|:=) ?[\"'` ]*)\s*"
)
_REPEATED: Final = re.compile(r"(.)\1{7}")
_GOOGLE: Final = re.compile(r"AIza[A-Za-z0-9_\-]{35}")
_ANTHROPIC: Final = re.compile(r"sk-ant-(?:api|admin)\d\d-[A-Za-z0-9_\-]{93}AA")


@dataclass(frozen=True, slots=True)
class Row:
    """A vector: its text, what it is about, what its label says."""

    text: str
    about: str
    is_secret: bool


def rows(folder: Path) -> list[Row]:
    """Return all vectors of both sources."""
    found = []
    for name in ("gitleaks", "detect_secrets"):
        for line in (folder / "secrets" / f"{name}_vectors.jsonl").read_bytes().splitlines():
            entry = orjson.loads(line)
            about = entry.get("rule") or entry["source"].rpartition("/")[2]
            found.append(Row(base64.b64decode(entry["text_b64"]).decode(), about, entry["is_secret"]))
    return found


def consistent_positives(all_rows: list[Row]) -> list[Row]:
    """Return the rows that hold a secret by their text alone (see the module)."""
    negatives = {row.text for row in all_rows if not row.is_secret}
    return [row for row in all_rows if row.is_secret and row.text not in negatives and _has_material(row)]


def plain_negatives(all_rows: list[Row]) -> list[Row]:
    """Return the rows that hold none (see the module)."""
    positives = {row.text for row in all_rows if row.is_secret}
    well_formed = (_GOOGLE, _ANTHROPIC)
    return [
        row
        for row in all_rows
        if not row.is_secret and row.text not in positives and not any(form.search(row.text) for form in well_formed)
    ]


def _has_material(row: Row) -> bool:
    if row.about in _BY_FILE or row.about.startswith("ip_public"):
        return False
    if _GENERATOR.search(row.text) or (len(row.text) < 60 and _FRAGMENT.fullmatch(row.text)):
        return False
    return any(_varied(run) for run in _RUN.findall(row.text))


def _varied(run: str) -> bool:
    letters = len(run) >= 20 and any(c.isupper() for c in run) and any(c.islower() for c in run)
    return (letters or any(c.isdigit() for c in run)) and len(set(run)) > 5 and not _REPEATED.search(run)


def flagged(text: str, scanner: Scanner) -> bool:
    """Tell whether a secret was found in a text."""
    return any(finding.type in KINDS for finding in scanner.find(text))


def encodings() -> dict[str, Callable[[str], str]]:
    """Return the ways in which copies are hidden."""

    def percent(text: str) -> str:
        return "".join(f"%{byte:02X}" for byte in text.encode())

    def split(text: str) -> str:
        return "\u200b".join(text)

    return {
        "base64": lambda text: base64.b64encode(text.encode()).decode(),
        "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
        "hex": lambda text: text.encode().hex(),
        "percent": percent,
        "percent_some": lambda text: urllib.parse.quote(text.replace("-", "%2D").replace("_", "%5F"), safe="%"),
        "zero_width": split,
        "base64_of_hex": lambda text: base64.b64encode(text.encode().hex().encode()).decode(),
        "hex_of_base64": lambda text: base64.b64encode(text.encode()).hex(),
        "percent_of_base64": lambda text: percent(base64.b64encode(text.encode()).decode()),
        "base64_split": lambda text: split(base64.b64encode(text.encode()).decode()),
    }


def encoded_copies(positives: Iterable[Row], scanner: Scanner) -> tuple[int, int, dict[str, int]]:
    """Return how many of the encoded copies are found, of how many, and the missed by encoding.

    The secrets are those that are found as they are and short enough to be copied about; each is wrapped in the text of
    a message. What is measured is the decoding, not the recall again.
    """
    chosen = [row.text.strip() for row in positives if len(row.text) <= 400 and flagged(row.text, scanner)]
    ways = list(encodings().items())
    found = total = 0
    missed: dict[str, int] = {}
    for number in range(COPIES):
        name, encode = ways[number % len(ways)]
        text = f"please look at this: {encode(chosen[number * 7 % len(chosen)])} and tell me"
        total += 1
        if flagged(text, scanner):
            found += 1
        else:
            missed[name] = missed.get(name, 0) + 1
    return found, total, missed


def run(options: Options) -> Result:
    """Count, in both halves and together."""
    del options
    folder = data_folder()
    if folder is None:
        return Result("secrets", {}, 0, "no data folder", ["the real vectors are missing (set SEALGATE_DATA)"])
    scanner = Scanner()
    all_rows = rows(folder)
    positives, negatives = consistent_positives(all_rows), plain_negatives(all_rows)
    found = [flagged(row.text, scanner) for row in positives]
    wrong = [flagged(row.text, scanner) for row in negatives]
    copies, of_copies, missed_copies = encoded_copies(positives, scanner)
    recall, share = sum(found) / len(found), sum(wrong) / len(wrong)
    figures = {
        "rows": len(all_rows),
        "consistent_positives": len(positives),
        "recall": round(recall, 4),
        "recall_tuned_half": round(_share(found[0::2]), 4),
        "recall_held_out_half": round(_share(found[1::2]), 4),
        "all_labelled_positives_found": sum(flagged(row.text, scanner) for row in all_rows if row.is_secret),
        "all_labelled_positives": sum(row.is_secret for row in all_rows),
        "plain_negatives": len(negatives),
        "negatives_flagged": round(share, 4),
        "negatives_flagged_tuned_half": round(_share(wrong[0::2]), 4),
        "negatives_flagged_held_out_half": round(_share(wrong[1::2]), 4),
        "encoded_copies_found": copies,
        "encoded_copies": of_copies,
        "encoded_copies_missed": missed_copies,
    }
    missed = []
    if recall < RECALL_BAR:
        missed.append(f"recall {recall:.3f} is under {RECALL_BAR}")
    if share > NEGATIVES_BAR:
        missed.append(f"{share:.3f} of plain negatives flagged")
    if copies < COPIES_BAR:
        missed.append(f"{copies} of {of_copies} encoded copies found")
    measured_on = (
        "vectors of gitleaks and detect-secrets, all detectors, default scores; which rows count: bench/secrets.py"
    )
    return Result("secrets", figures, len(all_rows), measured_on, missed)


def _share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))
