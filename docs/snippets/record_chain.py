"""Record the whole chain behind one action: input, context, reasoning, model call, tool call, outcome."""

import sealgate
from sealgate.sdk import Authorized, Tool


def search_invoices(customer: str) -> list[dict[str, object]]:
    """Stand for a tool that the gate does not judge."""
    return [{"id": "inv-7", "customer": customer, "amount": 900}]


def print_out(rows: list[dict[str, object]]) -> None:
    """Stand for something that fails."""
    raise TimeoutError(f"the printer did not take {len(rows)} pages")


def main() -> None:
    """Answer one question and leave a record of every link."""
    with sealgate.session(user="tok_u7", framework="own"), sealgate.task("answer the customer"):
        sealgate.input_received("What do I owe you?", channel="chat", trusted=False)
        with sealgate.step("look it up", "the amount is in the invoices"):
            tool = Tool("search_invoices", server="books", version="2.1", publisher="acme", trust_level="internal")
            with sealgate.tool_call(
                tool,
                {"customer": "c-1"},
                permissions_used=["read on invoices"],
                systems=["books"],
                classification="financial",
                authorized=Authorized(method="none"),
            ) as call:
                rows = search_invoices("c-1")
                call.output(rows)
            sealgate.context_retrieved("books", query={"customer": "c-1"}, rows=rows, classification="financial")
        with (
            sealgate.step("answer"),
            sealgate.model_call(
                "gpt-5",
                provider="openai",
                template="Tell {name} that {amount} is due",
                variables={"name": "tok_u7", "amount": 900},
            ) as model,
        ):
            model.output({"text": "You owe 900."}, tokens={"input": 12, "output": 5}, finish_reasons=["stop"])
        try:
            print_out(rows)
        except TimeoutError as error:
            sealgate.record_error(error, where="print", handled=True)
            sealgate.fallback("print", "mail", reason="printer away", attempt=1, error=error)
        sealgate.log_event("answered", {"rows": len(rows)})


if __name__ == "__main__":
    main()
