"""What each adapter covers, refuses, and does not reach. ``docs/reference/adapters.md`` is made from this table.

``python -m sealgate.integrations.coverage`` prints the page.
"""

import sys
from dataclasses import dataclass
from typing import Final, Literal

from sealgate.integrations.versions import FRAMEWORKS

State = Literal["covered", "refused", "not covered"]


@dataclass(frozen=True, slots=True)
class Row:
    """One way of reaching a tool's body, and what becomes of it."""

    framework: str
    way: str
    state: State
    how: str


def _rows(framework: str, *rows: tuple[str, State, str]) -> tuple[Row, ...]:
    return tuple(Row(framework, *row) for row in rows)


ROWS: Final[tuple[Row, ...]] = (
    *_rows(
        "langchain",
        ("sync, async, streamed, parallel calls of an agent", "covered", "middleware, innermost"),
        (
            "sub-agents, deepagents, bare `ToolNode`, direct `tool.invoke`",
            "covered",
            "`install`: `BaseTool.run`, `arun`",
        ),
        ("a middleware nearer to the tool that rewrites arguments", "covered", "`install` judges them anew"),
        ("edits by its own human-in-the-loop, or of a paused state", "covered", "judged as edited"),
        ("tools of the provider (dictionaries)", "refused", "unless named in `hosted=`"),
        ("`tool.func(...)`, the plain function", "not covered", "it is no tool call; use `sealgate.guard`"),
    ),
    *_rows(
        "openai-agents",
        ("sync, async, streamed, parallel calls; local MCP servers", "covered", "`get_all_tools`, around the body"),
        ("agents as tools, targets of hand-offs", "covered", "every agent asks `get_all_tools`"),
        ("the hand-off itself", "covered", "only with `gated_handoff`; a refusal ends the run"),
        ("hosted tools, computer, shell, apply-patch", "refused", "unless named in `hosted=`"),
        ("realtime agents", "not covered", "not tried with this release"),
    ),
    *_rows(
        "claude-agent",
        (
            "tools of the host, of MCP servers, of sub-agents; parallel",
            "covered",
            "`PreToolUse`, blocking when it fails",
        ),
        ("another `PreToolUse` hook that rewrites arguments", "not covered", "hooks run side by side; use none"),
        ("settings that an agent may edit", "not covered", "use managed settings"),
    ),
    *_rows(
        "pydantic-ai",
        ("sync, async, streamed, parallel calls; MCP toolsets", "covered", "capability, innermost"),
        ("delegated agents", "covered", "`install`: every agent made afterwards"),
        ("output functions", "covered", "judged like tools; a refusal ends the run; partial outputs wait"),
        ("tools of the provider", "refused", "unless their kind is in `hosted=`"),
        ("`ToolApproved` with other arguments", "covered", "judged as changed"),
    ),
    *_rows(
        "google-adk",
        (
            "async, parallel calls; thread pool",
            "covered",
            "plugin, and where the runner calls the tool",
        ),
        ("sub-agents, transfers, `AgentTool`, also without plugins", "covered", "where the runner calls the tool"),
        ("an agent's callback that rewrites arguments", "covered", "judged anew"),
        ("built-in tools of the provider", "refused", "unless named in `hosted=`"),
        ("code executors, tool nodes of workflows", "not covered", "they do not pass the runner's place"),
        ("live sessions", "not covered", "the same place is gated, but no live session was tried"),
    ),
    *_rows(
        "crewai",
        ("native and ReAct, sync and async, `Agent.kickoff`, delegation", "covered", "hook; every failure aborts"),
        ("`tool.run(...)`, cleared hooks, a later hook that rewrites", "covered", "backstop at the tools' bodies"),
        ("functions that a model object runs itself", "covered", "`BaseLLM._handle_tool_execution`"),
        ("functions that LiteLLM's class runs itself", "not covered", "`LLM._handle_tool_call`; not tried"),
    ),
    *_rows(
        "agent-framework",
        ("async, streamed, parallel calls, agents as tools, direct `invoke`", "covered", "`FunctionTool.invoke`"),
        ("hosts of AGENT-HOOKS-0.1", "covered", "`Interceptor`; the host has to obey the contract"),
        ("hosted tools", "not covered", "they have no body here"),
    ),
    *_rows(
        "strands",
        ("sync, async, streamed, parallel, direct calls; sub-agents", "covered", "where the executor streams the tool"),
    ),
    *_rows(
        "fastmcp",
        ("calls by every transport, mounted servers, hidden tools", "covered", "middleware"),
        ("`tool.run(...)`, a later middleware that rewrites", "covered", "`FunctionTool.run` judges anew"),
        ("`run` of proxied and generated tools, resources, prompts", "not covered", "use the MCP gateway"),
    ),
    *_rows(
        "llama-index",
        ("workflow agents, hand-offs, direct `call` and `acall`", "covered", "around both, later subclasses included"),
        ("tools that override `__call__` only (`QueryPlanTool`)", "not covered", "the tools they use are"),
    ),
    *_rows(
        "smolagents",
        ("tool-calling, code and managed agents, direct calls; parallel", "covered", "`Tool.__call__`"),
        ("code agents with further imports or a remote executor", "refused", "when the agent is made"),
        ("a code agent's own Python", "not covered", "what its executor allows without imports"),
    ),
)

APPROVAL: Final = {
    "langchain": "`interrupt`, then resume; without a checkpointer refused with the id",
    "openai-agents": "interruption, `RunState.approve`, then resume",
    "claude-agent": "refused with the request's id; the model asks again",
    "pydantic-ai": "`DeferredToolRequests` where the output type has it, else refused with the id",
    "google-adk": "`request_confirmation`, then confirm",
    "crewai": "refused with the request's id; the model asks again",
    "agent-framework": "refused with the request's id; the model asks again; AGENT-HOOKS: `Resolver`",
    "strands": "refused with the request's id; the model asks again",
    "fastmcp": "refused with the request's id; the client asks again",
    "llama-index": "refused with the request's id; the model asks again",
    "smolagents": "refused with the request's id; the model asks again",
}
REASONING: Final = frozenset({"langchain", "pydantic-ai", "google-adk", "strands"})


def page() -> str:
    """Return the reference page."""
    lines = [
        "# Adapters",
        "",
        "Made by `python -m sealgate.integrations.coverage` from the table that the code has.",
        "",
        "An adapter is cooperation inside of one process: code that does not want to pass it need not. Where the agent is",
        "not trusted, give the credentials of the effect to a process that redeems the permit, or use the MCP gateway.",
        "",
        "## Versions and approvals",
        "",
        "| adapter | known versions | where a person must approve | claimed reasoning |",
        "| --- | --- | --- | --- |",
    ]
    for framework in FRAMEWORKS:
        recorded = "recorded" if framework.name in REASONING else "not within reach"
        lines.append(f"| `{framework.name}` | {framework.known} | {APPROVAL[framework.name]} | {recorded} |")
    lines += ["", "Other versions are refused by `install` and by `sealgate run`.", "", "## Ways to a tool's body", ""]
    lines += ["| adapter | way | state | how |", "| --- | --- | --- | --- |"]
    lines += [f"| `{row.framework}` | {row.way} | {row.state} | {row.how} |" for row in ROWS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
