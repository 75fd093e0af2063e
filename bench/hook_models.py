"""A scripted model on loopback that speaks to every host of `bench hooks`: one tool call, then a farewell.

It answers the Anthropic, the OpenAI Responses and the Gemini interface. The tool call is what a test asks for; the
second question of a run (it carries the tool's result) is answered with a text, so that the host ends.
"""

import http.server
import json
import threading
from types import TracebackType
from typing import Any, Final, Self

_CODEX_SHELLS: Final = ("exec_command", "shell_command", "shell")


class Models:
    """Serves while entered. ``command`` is what the model wants to run; ``results`` is what it was told came of it."""

    def __init__(self) -> None:
        self.command = "true"
        self.results: list[str] = []
        self.asked = 0
        models = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                kind, answer = models.answer(self.path, json.loads(body or b"{}"))
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                data = b'{"data": [], "models": []}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_HEAD = do_GET  # noqa: N815  # the library's name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
                del format, args

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url: Final = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def answer(self, path: str, question: dict[str, Any]) -> tuple[str, bytes]:
        """Return media type and body of the answer to one question."""
        if "count" in path.lower():
            return "application/json", b'{"input_tokens": 1, "totalTokens": 1}'
        if "generateContent" in path or "GenerateContent" in path:
            return self._gemini(path, question)
        if path.startswith("/v1/responses") or path.endswith("/responses"):
            return self._responses(question)
        return self._anthropic(question)

    def _told(self, found: bool, result: Any) -> bool:  # noqa: FBT001  # a fact about the question
        if found:
            self.results.append(json.dumps(result))
        return found

    def _anthropic(self, question: dict[str, Any]) -> tuple[str, bytes]:
        names = [tool.get("name") for tool in question.get("tools", [])]
        shell = next((name for name in ("Bash", "bash") if name in names), None)
        results = [
            part
            for message in question.get("messages", [])
            if isinstance(message.get("content"), list)
            for part in message["content"]
            if part.get("type") == "tool_result"
        ]
        told = self._told(bool(results), results)
        if told or shell is None:
            block: dict[str, Any] = {"type": "text", "text": "done"}
            start: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": "done"}
        else:
            given = {"command": self.command, "description": "do it"}
            block = {"type": "tool_use", "id": f"toolu_{self._count():04d}", "name": shell, "input": given}
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
        stop = "end_turn" if block["type"] == "text" else "tool_use"
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": question.get("model", "m"),
            "content": [block],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }
        if not question.get("stream"):
            return "application/json", json.dumps(message).encode()
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": start},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
        return _stream(events)

    def _responses(self, question: dict[str, Any]) -> tuple[str, bytes]:
        names = [tool.get("name") for tool in question.get("tools", [])]
        shell = next((name for name in _CODEX_SHELLS if name in names), None)
        results = [item for item in question.get("input", []) if item.get("type") == "function_call_output"]
        told = self._told(bool(results), results)
        if told or shell is None:
            content = [{"type": "output_text", "text": "done", "annotations": []}]
            item: dict[str, Any] = {"type": "message", "role": "assistant", "id": "msg_1", "content": content}
        else:
            key, value = ("cmd", self.command) if shell == "exec_command" else ("command", self.command)
            given: dict[str, Any] = {key: ["bash", "-lc", value] if shell == "shell" else value}
            number = self._count()
            item = {
                "type": "function_call",
                "id": f"fc_{number}",
                "call_id": f"call_{number:04d}",
                "name": shell,
                "arguments": json.dumps(given),
            }
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        done = {"id": "resp_1", "object": "response", "status": "completed", "output": [item], "usage": usage}
        return _stream(
            [
                {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": done},
            ]
        )

    def _gemini(self, path: str, question: dict[str, Any]) -> tuple[str, bytes]:
        declared = [
            function.get("name")
            for tool in question.get("tools", [])
            for function in tool.get("functionDeclarations", [])
        ]
        results = [
            part["functionResponse"]
            for content in question.get("contents", [])
            for part in content.get("parts", [])
            if "functionResponse" in part
        ]
        told = self._told(bool(results), results)
        if told or "run_shell_command" not in declared:
            part: dict[str, Any] = {"text": "done"}
        else:
            self._count()
            part = {"functionCall": {"name": "run_shell_command", "args": {"command": self.command}}}
        chunk = {
            "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        }
        if "stream" not in path:
            return "application/json", json.dumps(chunk).encode()
        return "text/event-stream", b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n"

    def _count(self) -> int:
        self.asked += 1
        return self.asked


def _stream(events: list[dict[str, Any]]) -> tuple[str, bytes]:
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return "text/event-stream", "".join(lines).encode()
