"""``python -m sealgate.evidence.reference > docs/reference/evidence.md``: the page of fields, made from the tables."""

import sys
from typing import Final

import msgspec

from sealgate.evidence.aggregating import MAX_GROUP_BY, MAX_GROUPS, MEASURES
from sealgate.evidence.answers import Filter
from sealgate.evidence.columns import COLUMNS, GROUPABLE
from sealgate.evidence.searching import MAX_LIMIT
from sealgate.evidence.tracing import MAX_ROWS

_INTRODUCTION: Final = """\
# Evidence: fields, filters, measures

<!-- Made by `python -m sealgate.evidence.reference`; a test compares. Change `evidence/` instead. -->

The evidence store has one row for each record, and one for each item of a batch record. What it is made of and what it
costs is told in [the evidence store](../explanation/evidence-store.md).

## Columns

| column | type | meaning |
| --- | --- | --- |
"""


def page() -> str:
    """Return the reference page, Markdown."""
    columns = "".join(f"| `{column.name}` | {column.sql} | {column.meaning} |\n" for column in COLUMNS)
    filters = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(Filter))
    groups = ", ".join(f"`{name}`" for name in sorted(GROUPABLE))
    measures = "".join(f"| `{name}` | `{sql}` |\n" for name, sql in MEASURES.items())
    return (
        f"{_INTRODUCTION}{columns}\n## Filters\n\nAll that are given must hold: {filters}. `kind` may end in `*`; "
        "`policy` and `subject` are members of the lists; `text` is looked for in the column `text`, upper and lower "
        f"case alike.\n\n## Groups\n\n{groups}; also `policy`, `subject`, `minute`, `hour`, `day`, `week`, `month`. "
        f"At most {MAX_GROUP_BY} at once, {MAX_GROUPS:,} rows.\n\n## Measures\n\n| measure | is |\n| --- | --- |\n"
        f"{measures}\n## Limits\n\nA page of a search has at most {MAX_LIMIT:,} rows, a trace at most {MAX_ROWS:,}.\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
