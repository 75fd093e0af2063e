"""An MCP server with what the conformance suite asks for, on the SDK's own server: ``python mcp_fixtures.py PORT``.

Run with the Python of ``scripts/mcp-env``. The names are the suite's; what they do is as little as it looks for.
"""

import base64
import sys
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    AudioContent,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
    )
).decode()
SOUND = base64.b64encode(
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
).decode()
server = MCPServer("fixtures", version="1.0.0")


def text(value: str) -> TextContent:
    """Return a text."""
    return TextContent(type="text", text=value)


def document(uri: str, value: str = "content") -> EmbeddedResource:
    """Return a resource with its text."""
    held = TextResourceContents(uri=uri, mime_type="text/plain", text=value)
    return EmbeddedResource(type="resource", resource=held)


@server.tool(structured_output=False)
def test_simple_text() -> Any:
    """Text."""
    return text("This is a simple text response for testing.")


@server.tool(structured_output=False)
def test_image_content() -> Any:
    """An image."""
    return ImageContent(type="image", data=PIXEL, mime_type="image/png")


@server.tool(structured_output=False)
def test_audio_content() -> Any:
    """A sound."""
    return AudioContent(type="audio", data=SOUND, mime_type="audio/wav")


@server.tool(structured_output=False)
def test_embedded_resource() -> Any:
    """A resource."""
    return document("test://embedded-resource", "This is an embedded resource content.")


@server.tool(structured_output=False)
def test_multiple_content_types() -> Any:
    """Three kinds."""
    image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
    return [text("Multiple content types test:"), image, document("test://mixed-content-resource")]


@server.tool(structured_output=False)
async def test_tool_with_logging(ctx: Context) -> Any:
    """Logs."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(line)
    return text("logged")


@server.tool(structured_output=False)
async def test_tool_with_progress(ctx: Context) -> Any:
    """Progress."""
    for step in (0, 50, 100):
        await ctx.report_progress(step, 100, f"step {step}")
    return text("done")


@server.tool(structured_output=False)
def test_error_handling() -> Any:
    """Fails."""
    raise ValueError("This tool intentionally returns an error for testing")


@server.tool(structured_output=False)
async def test_sampling(prompt: str, ctx: Context) -> Any:
    """Asks the client's model."""
    asked = SamplingMessage(role="user", content=text(prompt))
    answer = await ctx.session.create_message([asked], max_tokens=100)
    return text(f"LLM response: {getattr(answer.content, 'text', '')}")


async def elicit(ctx: Context, message: str, schema: dict[str, Any]) -> TextContent:
    """Ask the person."""
    answer = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return text(f"Elicitation completed: action={answer.action}, content={answer.content}")


@server.tool(structured_output=False)
async def test_elicitation(message: str, ctx: Context) -> Any:
    """Asks the person."""
    schema = {"type": "object", "properties": {"username": {"type": "string"}, "email": {"type": "string"}}}
    return await elicit(ctx, message, schema)


@server.tool(structured_output=False)
async def test_elicitation_sep1034_defaults(ctx: Context) -> Any:
    """Asks with defaults."""
    properties = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return await elicit(ctx, "Please review", {"type": "object", "properties": properties})


@server.tool(structured_output=False)
async def test_elicitation_sep1330_enums(ctx: Context) -> Any:
    """Asks with enumerations."""
    titled = [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)]
    plain = ["option1", "option2", "option3"]
    properties = {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": plain, "enumNames": ["One", "Two", "Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return await elicit(ctx, "Choose", {"type": "object", "properties": properties})


NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ASK_NAME = ElicitRequest(params=ElicitRequestFormParams(message="What is your name?", requested_schema=NAME))
ASK_MODEL = CreateMessageRequest(
    params=CreateMessageRequestParams(
        messages=[SamplingMessage(role="user", content=text("What is the capital of France?"))], max_tokens=100
    )
)
ASK_ROOTS = ListRootsRequest()


@server.tool(structured_output=False)
async def test_input_required_result_elicitation(ctx: Context) -> Any:
    """Asks back for a name."""
    if not (ctx.input_responses or {}).get("user_name"):
        return InputRequiredResult(input_requests={"user_name": ASK_NAME})
    return text(f"Hello, {ctx.input_responses}!")


@server.tool(structured_output=False)
async def test_input_required_result_sampling(ctx: Context) -> Any:
    """Asks back the model."""
    if not (ctx.input_responses or {}).get("capital_question"):
        return InputRequiredResult(input_requests={"capital_question": ASK_MODEL})
    return text(f"Answer: {ctx.input_responses}")


@server.tool(structured_output=False)
async def test_input_required_result_list_roots(ctx: Context) -> Any:
    """Asks back for roots."""
    if not (ctx.input_responses or {}).get("client_roots"):
        return InputRequiredResult(input_requests={"client_roots": ASK_ROOTS})
    return text(f"Roots: {ctx.input_responses}")


@server.tool(structured_output=False)
async def test_input_required_result_request_state(ctx: Context) -> Any:
    """Carries state."""
    if not ctx.input_responses:
        return InputRequiredResult(input_requests={"confirm": ASK_NAME}, request_state="state-1")
    return text("state-ok" if ctx.request_state == "state-1" else "state-lost")


@server.tool(structured_output=False)
async def test_input_required_result_multiple_inputs(ctx: Context) -> Any:
    """Asks back for three things."""
    if not ctx.input_responses:
        asked = {"user_name": ASK_NAME, "greeting": ASK_MODEL, "client_roots": ASK_ROOTS}
        return InputRequiredResult(input_requests=asked, request_state="many")
    return text(f"All: {sorted(ctx.input_responses)}")


@server.tool(structured_output=False)
async def test_input_required_result_multi_round(ctx: Context) -> Any:
    """Asks back twice."""
    if ctx.request_state is None:
        return InputRequiredResult(input_requests={"step1": ASK_NAME}, request_state="round-1")
    if ctx.request_state == "round-1":
        return InputRequiredResult(input_requests={"step2": ASK_NAME}, request_state="round-2")
    return text("finished")


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """Text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """Bytes."""
    return base64.b64decode(PIXEL)


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:  # noqa: A002  # the suite's name
    """A template."""
    return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """Text to watch."""
    return "watched"


@server.prompt()
def test_simple_prompt() -> str:
    """A prompt."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> Any:  # noqa: N803  # the suite's name
    """A prompt with a resource."""
    return [{"role": "user", "content": document(resourceUri, "Embedded resource content for testing.")}]


@server.prompt()
def test_prompt_with_image() -> Any:
    """A prompt with an image."""
    return [{"role": "user", "content": ImageContent(type="image", data=PIXEL, mime_type="image/png")}]


@server.completion()
async def complete(ref: Any, argument: Any, context: Any) -> Any:
    """Complete nothing."""
    del ref, argument, context
    return Completion(values=[], total=0, has_more=False)


if __name__ == "__main__":
    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
