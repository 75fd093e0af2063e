"""``python -m sealgate.privacy.reference > docs/reference/privacy-policy.md``: the page of the field policy."""

import sys
from typing import Final

from . import rules_contact, rules_finance, rules_national, rules_secrets
from .decoding import MAX_BLOBS, MAX_DEPTH
from .policy import ACTIONS, FINDING_ACTIONS, MAX_PATTERN_LENGTH, MAX_PATTERNS, MAX_RULES
from .rules import DEFAULT_MINIMUM, Rule
from .scanner import MAX_TEXT

_INTRODUCTION: Final = """\
# Field policy

<!-- Made by `python -m sealgate.privacy.reference`; a test compares. Change sealgate/privacy instead. -->

One TOML file, named by `[privacy] policy` in the [configuration](configuration.md). Unknown keys are refused. Without a
file the built-in policy holds: contents (raw inputs and outputs) are digest and size alone, all other text goes through
all detectors, and what they find is masked. What is guaranteed and what is not:
[What leaves the process](../explanation/privacy.md).

```toml
version = 1

[defaults]
content = "digest"   # raw inputs and outputs
text = "keep"        # everything else; detectors still run

[detectors]
off = ["us_bank"]    # or on = [...]: these alone
minimum_score = 0.5

[actions]            # what becomes of a finding inside a text
default = "mask"
email = "token"

[[field]]            # the first that fits a path holds, for all below it until another fits
kind = "tool.call"
tool = "send_*"
path = "attributes.input.value.amount"
action = "keep"
detectors = true
type = "amount"

[[pattern]]          # re2 syntax, linear time
name = "employee"
pattern = "E-\\\\d{6}"
context = "employee|staff"
ignore_case = false
```
"""

_HEAD: Final = "| detector | rules | alone | in context | checked |\n| --- | --- | --- | --- | --- |\n"
_ACTIONS: Final = {
    "keep": "The value stays; detectors still run over its text, unless the field has `detectors = false`.",
    "drop": "The field is emptied (a content: nothing of it stays, not even its digest).",
    "mask": "`[masked]` instead of the whole value.",
    "hash": "`hmac_…`, HMAC-SHA256 with the key of the site; without a key the field is emptied.",
    "token": "A token of the vault; where none is at hand, as `mask`.",
    "digest": "A content keeps salted digest and size alone; any other value becomes a keyed hash, as `hash`.",
}
_FINDING_ACTIONS: Final = {
    "mask": "`[email]` instead of what was found: the name of its type in brackets.",
    "hash": "`hmac_…` instead of it; without a key as `mask`.",
    "token": "A token of the vault instead of it; where none is at hand as `mask`.",
    "drop": "`[dropped]` instead of the whole text.",
}


def page() -> str:
    """Return the reference page, Markdown."""
    parts = [_INTRODUCTION, "\n## Actions on fields\n\n| action | what becomes of the field |\n| --- | --- |\n"]
    parts += [f"| `{name}` | {_ACTIONS[name]} |\n" for name in ACTIONS]
    parts.append("\n## Actions on findings\n\n| action | what becomes of what was found |\n| --- | --- |\n")
    parts += [f"| `{name}` | {_FINDING_ACTIONS[name]} |\n" for name in FINDING_ACTIONS]
    parts.append(
        "\n## Paths\n\nNames joined by dots from the top of the item; `*` is one name or position of a list (or, inside"
        " a name, any letters), `**` any number of names. A content's raw value is under `value`: naming fields below"
        " it, with `keep`, is an allow-list: the rest of the content goes.\n"
    )
    parts.append(
        "\n## Bounds\n\n"
        f"At most {MAX_RULES} fields, {MAX_PATTERNS} patterns of {MAX_PATTERN_LENGTH} characters. A text is looked at"
        f" up to {MAX_TEXT} characters, {MAX_DEPTH} encodings deep, {MAX_BLOBS} encoded runs a text; what is beyond is"
        " masked as `[unsearched]`.\n"
    )
    parts.append(
        f"\n## Detectors\n\nA finding counts from a score of {DEFAULT_MINIMUM}. *Alone* is the score of the value by"
        " itself, *in context* where a word that goes with it is near or in the name of the field.\n"
    )
    for title, table in (
        ("Reaching people and machines", rules_contact.RULES),
        ("Payment", rules_finance.RULES),
        ("Numbers of states", rules_national.RULES),
        ("Secrets", rules_secrets.RULES),
    ):
        parts.append(f"\n### {title}\n\n{_HEAD}")
        names = dict.fromkeys(rule.type for rule in table)
        parts += [_row(name, [each for each in table if each.type == name]) for name in names]
    parts.append(
        "\nBesides: known values of registered people, each under its own type (`name`, `email`, `address`,"
        " `birth_date`, …), in any case and with any separators.\n"
    )
    return "".join(parts)


def _row(name: str, rules: list[Rule]) -> str:
    alone = max(rule.score for rule in rules)
    near = max((rule.context_score for rule in rules if rule.context), default=alone)
    having = sum(bool(rule.check or rule.extend) for rule in rules)
    checked = "form alone" if not having else "yes" if having == len(rules) else "in part"
    return f"| `{name}` | {len(rules)} | {alone:.1f} | {max(alone, near):.1f} | {checked} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
