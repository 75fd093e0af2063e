"""THE table: which conventions we read, how each is recognised, and which attribute becomes what.

Everything that is known about the spans of others is here, as data, and in ``log_events`` for log records;
``docs/reference/telemetry.md`` is made of both. A span's role comes from the first mark of ``CONVENTIONS`` that fits
it, in order. Its facts then come from the attributes of *all* conventions, an earlier one before a later one: real
spans mix them (an agent framework's own names, OpenInference's on top, a vendor's beside).
"""

from typing import Final

from .convention import Convention, Mark, Role

_T, _M, _A, _R, _S = Role.TOOL, Role.MODEL, Role.AGENT, Role.RETRIEVAL, Role.STEP

CONVENTIONS: Final[tuple[Convention, ...]] = (
    Convention(
        "mcp",
        "Model Context Protocol spans (OpenTelemetry)",
        marks=(
            Mark(
                "mcp.method.name",
                {"tools/call": _T, "resources/read": _R, "prompts/get": _R, "sampling/createmessage": _M},
                otherwise=_S,
            ),
        ),
        every={"session": ("mcp.session.id",)},
        facts={
            _T: {"name": ("mcp.tool.name",), "server": ("mcp.server.name", "server.address")},
            _R: {"source": ("mcp.resource.uri", "gen_ai.prompt.name")},
        },
    ),
    Convention(
        "otel-genai",
        "OpenTelemetry GenAI semantic conventions, current",
        marks=(
            Mark(
                "gen_ai.operation.name",
                {
                    "execute_tool": _T,
                    "chat": _M,
                    "generate_content": _M,
                    "text_completion": _M,
                    "completion": _M,
                    "embeddings": _M,
                    "retrieval": _R,
                    "search_memory": _R,
                    "invoke_agent": _A,
                    "create_agent": _A,
                    "invoke_workflow": _A,
                    "plan": _S,
                    "run_guardrail": _S,
                    "create_memory_store": _S,
                    "create_memory": _S,
                    "update_memory": _S,
                    "upsert_memory": _S,
                    "delete_memory": _S,
                    "delete_memory_store": _S,
                },
            ),
        ),
        every={
            "session": ("gen_ai.conversation.id",),
            "agent_name": ("gen_ai.agent.name",),
            "agent_id": ("gen_ai.agent.id",),
            "error_type": ("error.type",),
        },
        facts={
            _T: {
                "name": ("gen_ai.tool.name",),
                "call_id": ("gen_ai.tool.call.id",),
                "tool_type": ("gen_ai.tool.type",),
                "arguments": ("gen_ai.tool.call.arguments",),
                "result": ("gen_ai.tool.call.result",),
            },
            _M: {
                "operation": ("gen_ai.operation.name",),
                "provider": ("gen_ai.provider.name",),
                "model": ("gen_ai.request.model",),
                "response_model": ("gen_ai.response.model",),
                "response_id": ("gen_ai.response.id",),
                "finish_reasons": ("gen_ai.response.finish_reasons",),
                "instructions": ("gen_ai.system_instructions",),
                "input": ("gen_ai.input.messages",),
                "output": ("gen_ai.output.messages",),
                "tokens_input": ("gen_ai.usage.input_tokens",),
                "tokens_output": ("gen_ai.usage.output_tokens",),
                "tokens_cache_read": ("gen_ai.usage.cache_read.input_tokens",),
                "tokens_cache_creation": ("gen_ai.usage.cache_creation.input_tokens",),
                "tokens_reasoning": ("gen_ai.usage.reasoning.output_tokens",),
                "parameter.temperature": ("gen_ai.request.temperature",),
                "parameter.top_p": ("gen_ai.request.top_p",),
                "parameter.top_k": ("gen_ai.request.top_k",),
                "parameter.max_tokens": ("gen_ai.request.max_tokens",),
                "parameter.seed": ("gen_ai.request.seed",),
                "parameter.frequency_penalty": ("gen_ai.request.frequency_penalty",),
                "parameter.presence_penalty": ("gen_ai.request.presence_penalty",),
            },
            _R: {
                "source": ("gen_ai.data_source.id",),
                "query": ("gen_ai.retrieval.query.text",),
                "documents": ("gen_ai.retrieval.documents",),
            },
        },
    ),
    Convention(
        "google-adk",
        "Google Agent Development Kit's own attributes",
        every={"session": ("gcp.vertex.agent.session_id",)},
        facts={
            _T: {"arguments": ("gcp.vertex.agent.tool_call_args",), "result": ("gcp.vertex.agent.tool_response",)},
            _M: {"input": ("gcp.vertex.agent.llm_request",), "output": ("gcp.vertex.agent.llm_response",)},
        },
    ),
    Convention(
        "pydantic-ai",
        "Pydantic AI and Logfire attributes",
        marks=(Mark("pydantic_ai.all_messages", otherwise=_A), Mark("all_messages_events", otherwise=_A)),
        every={"agent_name": ("agent_name",)},
        facts={
            _T: {"arguments": ("tool_arguments",), "result": ("tool_response",)},
            _M: {"message_events": ("events",)},
        },
    ),
    Convention(
        "vercel-ai-sdk",
        "Vercel AI SDK",
        marks=(
            Mark(
                "ai.operationId",
                {
                    "ai.toolcall": _T,
                    "ai.generatetext.dogenerate": _M,
                    "ai.streamtext.dostream": _M,
                    "ai.generateobject.dogenerate": _M,
                    "ai.streamobject.dostream": _M,
                    "ai.embed.doembed": _M,
                    "ai.embedmany.doembed": _M,
                    "ai.rerank.dorerank": _R,
                    "ai.generatetext": _A,
                    "ai.streamtext": _A,
                    "ai.generateobject": _A,
                    "ai.streamobject": _A,
                },
                otherwise=_S,
            ),
        ),
        every={"session": ("ai.telemetry.metadata.sessionId",), "agent_name": ("ai.telemetry.functionId",)},
        facts={
            _T: {
                "name": ("ai.toolCall.name",),
                "call_id": ("ai.toolCall.id",),
                "arguments": ("ai.toolCall.args", "ai.toolCall.input"),
                "result": ("ai.toolCall.result", "ai.toolCall.output"),
            },
            _M: {
                "operation": ("ai.operationId",),
                "provider": ("ai.model.provider",),
                "model": ("ai.model.id",),
                "response_model": ("ai.response.model",),
                "response_id": ("ai.response.id",),
                "finish_reasons": ("ai.response.finishReason",),
                "input": ("ai.prompt.messages", "ai.prompt", "ai.value", "ai.values"),
                "output": ("ai.response.text", "ai.response.object"),
                "calls": ("ai.response.toolCalls",),
                "tokens_input": ("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
                "tokens_output": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
                "tokens_cache_read": ("ai.usage.cachedInputTokens",),
                "tokens_reasoning": ("ai.usage.reasoningTokens",),
            },
        },
    ),
    Convention(
        "openinference",
        "OpenInference (Arize Phoenix)",
        marks=(
            Mark(
                "openinference.span.kind",
                {"tool": _T, "llm": _M, "embedding": _M, "retriever": _R, "reranker": _R, "agent": _A},
                otherwise=_S,
            ),
        ),
        every={"session": ("session.id",), "agent_name": ("agent.name", "graph.node.id")},
        facts={
            _T: {
                "name": ("tool.name", "tool_call.function.name"),
                "call_id": ("tool_call.id", "tool.id"),
                "arguments": ("tool_call.function.arguments", "input.value", "tool.parameters"),
                "result": ("output.value",),
            },
            _M: {
                "provider": ("llm.provider", "llm.system"),
                "model": ("llm.model_name", "embedding.model_name"),
                "finish_reasons": ("llm.finish_reason",),
                "input": ("input.value", "llm.prompts"),
                "output": ("output.value",),
                "template": ("llm.prompt_template.template",),
                "template_id": ("llm.prompt_template.version",),
                "variables": ("llm.prompt_template.variables",),
                "parameters": ("llm.invocation_parameters",),
                "tokens_input": ("llm.token_count.prompt",),
                "tokens_output": ("llm.token_count.completion",),
                "tokens_cache_read": ("llm.token_count.prompt_details.cache_read",),
                "tokens_cache_creation": ("llm.token_count.prompt_details.cache_write",),
                "tokens_reasoning": ("llm.token_count.completion_details.reasoning",),
            },
            _R: {"query": ("input.value",)},
            # BeeAI tells a call its agent is about to make, as it is being written, on spans of the agent.
            _A: {"call_name": ("tool.name",), "call_arguments": ("tool.parameters",)},
        },
    ),
    Convention(
        "openllmetry",
        "OpenLLMetry (Traceloop)",
        marks=(
            Mark("traceloop.span.kind", {"tool": _T, "agent": _A, "workflow": _A}, otherwise=_S),
            Mark("llm.request.type", {"rerank": _R}, otherwise=_M),
        ),
        every={
            "session": ("traceloop.association.properties.session_id", "traceloop.association.properties.thread_id"),
        },
        facts={
            _T: {
                "name": ("traceloop.entity.name",),
                "arguments": ("traceloop.entity.input",),
                "result": ("traceloop.entity.output",),
            },
            _A: {"agent_name": ("traceloop.entity.name",)},
            _M: {
                "operation": ("llm.request.type",),
                "model": ("llm.request.model",),
                "response_model": ("llm.response.model",),
                "tokens_input": ("llm.usage.prompt_tokens",),
                "tokens_output": ("llm.usage.completion_tokens",),
            },
        },
    ),
    Convention(
        "langsmith",
        "LangSmith over OpenTelemetry",
        marks=(
            Mark(
                "langsmith.span.kind",
                {"tool": _T, "llm": _M, "embedding": _M, "retriever": _R, "chain": _S},
                otherwise=_S,
            ),
        ),
        every={
            "session": ("langsmith.metadata.thread_id", "langsmith.metadata.session_id", "langsmith.trace.session_id")
        },
        facts={
            _T: {"name": ("langsmith.trace.name",)},
            _M: {"model": ("langsmith.metadata.ls_model_name",), "provider": ("langsmith.metadata.ls_provider",)},
        },
    ),
    Convention(
        "langfuse",
        "Langfuse SDK, and LangChain and LangGraph through its callbacks",
        marks=(
            Mark(
                "langfuse.observation.type",
                {"tool": _T, "generation": _M, "embedding": _M, "retriever": _R, "agent": _A},
                otherwise=_S,
            ),
        ),
        every={"session": ("langfuse.session.id",)},
        facts={
            _T: {"arguments": ("langfuse.observation.input",), "result": ("langfuse.observation.output",)},
            _M: {
                "model": ("langfuse.observation.model.name",),
                "parameters": ("langfuse.observation.model.parameters",),
                "template_id": ("langfuse.observation.prompt.name",),
                "input": ("langfuse.observation.input",),
                "output": ("langfuse.observation.output",),
            },
            _R: {"query": ("langfuse.observation.input",)},
            _S: {
                "callback_input": ("langfuse.observation.input",),
                "callback_output": ("langfuse.observation.output",),
            },
        },
    ),
    Convention(
        "crewai",
        "CrewAI's own telemetry",
        facts={_T: {"name": ("tool_name",)}},
    ),
    Convention(
        "otel-genai-legacy",
        "OpenTelemetry GenAI, before `gen_ai.provider.name` and structured messages",
        marks=(
            Mark("gen_ai.tool.name", otherwise=_T),
            Mark("gen_ai.request.model", otherwise=_M),
            Mark("gen_ai.completion.0.role", otherwise=_M),
        ),
        facts={
            _T: {"arguments": ("gen_ai.prompt",), "result": ("gen_ai.completion",)},
            _M: {
                "provider": ("gen_ai.system",),
                "input": ("gen_ai.prompt",),
                "output": ("gen_ai.completion",),
                "tokens_input": ("gen_ai.usage.prompt_tokens",),
                "tokens_output": ("gen_ai.usage.completion_tokens",),
            },
        },
    ),
)
"""All conventions, in the order in which their marks are tried and their attributes preferred."""

INDEXED_CALLS: Final[dict[str, dict[str, str]]] = {
    "llm.output_messages.*.message.tool_calls.*.": {
        "tool_call.id": "call_id",
        "tool_call.function.name": "name",
        "tool_call.function.arguments": "arguments",
    },
    "llm.output_messages.*.message.": {"function_call_name": "name", "function_call_arguments_json": "arguments"},
    "gen_ai.completion.*.tool_calls.*.": {"id": "call_id", "name": "name", "arguments": "arguments"},
    "gen_ai.completion.*.function_call.": {"name": "name", "arguments": "arguments"},
    "llm.completions.*.tool_calls.*.": {"id": "call_id", "name": "name", "arguments": "arguments"},
    "llm.completions.*.function_call.": {"name": "name", "arguments": "arguments"},
}
"""Calls that a model asked for, flattened into attributes (`*` is a number): prefix, then what its parts are."""

INDEXED_CONTENT: Final = {
    "llm.input_messages.": "input",
    "llm.output_messages.": "output",
    "gen_ai.prompt.": "input",
    "gen_ai.completion.": "output",
    "llm.prompts.": "input",
    "llm.completions.": "output",
    "retrieval.documents.": "documents",
    "reranker.output_documents.": "documents",
}
"""Messages and documents that are flattened into attributes: prefix, and the fact they are collected into."""

NAME_PREFIXES: Final = ("execute_tool ", "tools/call ", "running tool: ", "MCP send tools/call ", "tool.")
"""What comes before a tool's name in the name of a span that says it nowhere else."""

TOOL_SPAN_NAMES: Final = {"crewai.telemetry": ("Tool Usage",)}
"""Span names that mean a tool call, by instrumentation scope, where no attribute says so."""
