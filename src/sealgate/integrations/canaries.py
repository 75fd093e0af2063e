"""One canary for each framework: a tool that no policy knows, called the framework's own way. It must not run."""

import asyncio
import importlib
import types
from collections.abc import Callable
from typing import Any, Final

TOOL: Final = "sealgate_canary"


class Canary:
    """Notes whether its body ran."""

    def __init__(self) -> None:
        self.ran = False

    def body(self) -> Callable[[], str]:
        """Return the body as a function that frameworks can make a tool of."""

        def sealgate_canary() -> str:
            """Show whether the gate stands in front of this tool."""
            self.ran = True
            return "ran"

        return sealgate_canary


def escaped(name: str) -> bool:
    """Call the canary of a framework; true if its body ran."""
    canary = Canary()
    _CALLS[name](canary)
    return canary.ran


def _langchain(canary: Canary) -> None:
    tools = importlib.import_module("langchain_core.tools")
    tools.StructuredTool.from_function(canary.body()).invoke({})


def _openai_agents(canary: Canary) -> None:
    agents = importlib.import_module("agents")
    contexts = importlib.import_module("agents.tool_context")
    context = contexts.ToolContext(context=None, tool_name=TOOL, tool_call_id="canary", tool_arguments="{}")
    agent = agents.Agent(name="canary", tools=[agents.function_tool(canary.body())])

    async def call() -> None:
        for tool in await agent.get_all_tools(agents.RunContextWrapper(context=None)):
            await tool.on_invoke_tool(context, "{}")

    asyncio.run(call())


def _claude_agent(canary: Canary) -> None:
    sdk = importlib.import_module("claude_agent_sdk")
    asked = {"tool_name": f"mcp__canary__{TOOL}", "tool_input": {}, "tool_use_id": "canary"}
    matchers = (sdk.ClaudeAgentOptions().hooks or {}).get("PreToolUse", [])
    answers = [asyncio.run(hook(asked, "canary", None)) for matcher in matchers for hook in matcher.hooks]
    said = [answer.get("hookSpecificOutput", {}).get("permissionDecision") for answer in answers]
    if "deny" not in said:
        canary.body()()


def _pydantic_ai(canary: Canary) -> None:
    package = importlib.import_module("pydantic_ai")
    models = importlib.import_module("pydantic_ai.models.test")
    asyncio.run(package.Agent(models.TestModel(), tools=[canary.body()]).run("canary"))


def _google_adk(canary: Canary) -> None:
    caller = importlib.import_module("google.adk.flows.llm_flows.tools._caller")
    tools = importlib.import_module("google.adk.tools")

    class Context:
        function_call_id = "canary"
        agent_name = "canary"
        session = None
        tool_confirmation = None

    asyncio.run(caller._call_tool_async(tools.FunctionTool(canary.body()), {}, Context()))  # noqa: SLF001  # the place


def _crewai(canary: Canary) -> None:
    importlib.import_module("crewai.tools").tool(canary.body()).run()


def _agent_framework(canary: Canary) -> None:
    package = importlib.import_module("agent_framework")
    asyncio.run(package.tool(canary.body()).invoke(arguments={}))


def _strands(canary: Canary) -> None:
    package = importlib.import_module("strands")
    model = types.SimpleNamespace(stateful=False)  # a direct call asks no model
    agent = package.Agent(model=model, tools=[package.tool(canary.body())], callback_handler=None)
    agent.tool.sealgate_canary(record_direct_tool_call=False)


def _fastmcp(canary: Canary) -> None:
    package = importlib.import_module("fastmcp")
    server = package.FastMCP("canary")
    server.tool(canary.body())

    async def call() -> None:
        async with package.Client(server) as client:
            await client.call_tool(TOOL, {}, raise_on_error=False)

    asyncio.run(call())


def _llama_index(canary: Canary) -> None:
    tools = importlib.import_module("llama_index.core.tools")
    made = tools.FunctionTool.from_defaults(canary.body())
    made.call()
    asyncio.run(made.acall())


def _smolagents(canary: Canary) -> None:
    tools = importlib.import_module("smolagents")

    class Made(tools.Tool):  # type: ignore[name-defined]  # its source need not be found, as `tool` would want
        name = TOOL
        description = "canary"
        inputs: Final[dict[str, Any]] = {}
        output_type = "string"

        def forward(self) -> str:
            return canary.body()()

    Made()()


_CALLS: Final[dict[str, Callable[[Canary], None]]] = {
    "langchain": _langchain,
    "openai-agents": _openai_agents,
    "claude-agent": _claude_agent,
    "pydantic-ai": _pydantic_ai,
    "google-adk": _google_adk,
    "crewai": _crewai,
    "agent-framework": _agent_framework,
    "strands": _strands,
    "fastmcp": _fastmcp,
    "llama-index": _llama_index,
    "smolagents": _smolagents,
}
