"""One line around a function: it runs only with a permit for exactly these arguments."""

import sealgate


@sealgate.guard
def send_money(to: str, amount: int) -> str:
    """Send money, if the gate permits it."""
    return f"sent {amount} to {to}"


def main() -> None:
    """Try it, and say what happened."""
    with sealgate.task("pay the rent"), sealgate.step("plan", "the rent is due on the first"):
        try:
            print(send_money("landlord", 900))
        except sealgate.Denied as error:
            print("a rule forbids it:", error)
        except sealgate.ActionNotRun as error:
            print("nothing was done:", error)
    sealgate.log_event("rent.handled", {"month": "2026-11"})


if __name__ == "__main__":
    main()
