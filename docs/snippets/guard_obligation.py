"""A permit may carry a duty. What this program cannot fulfil stops the action."""

from typing import Any

import sealgate
from sealgate.sdk import Obligation


def cut_rows(obligation: Obligation, arguments: dict[str, Any]) -> Any:
    """Fulfil `cut_rows`: hand out no more rows than the policy allows."""
    del arguments
    return lambda rows: rows[: obligation.params["at_most"]]


@sealgate.guard(obligations={"cut_rows": cut_rows})
def customers(country: str) -> list[str]:
    """List customers."""
    return [f"{country}-{number}" for number in range(100)]


if __name__ == "__main__":
    print(len(customers("is")))
