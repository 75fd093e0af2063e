"""An MCP server of our own, over standard streams, that does what a test tells it; it notes every line it gets.

Run as ``python upstream.py NOTES PLAN``: ``NOTES`` is the file of received lines, ``PLAN`` a JSON file that it reads at
each ``tools/list`` and call: ``{"tools": [..], "answers": {tool: behaviour}, "bad_list": ".."}``.
"""

import json
import os
import sys
import time
from pathlib import Path

NOTES, PLAN = Path(sys.argv[1]), Path(sys.argv[2])
MODERN = "io.modelcontextprotocol/protocolVersion"


def send(message):
    """Write one message, or raw text."""
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
    sys.stdout.flush()


def say(text, params):
    """Return a tool's result."""
    result = {"content": [{"type": "text", "text": text}], "isError": False}
    return {**result, "resultType": "complete"} if MODERN in params.get("_meta", {}) else result


def call(message, plan):  # noqa: C901  # a table of behaviours
    """Do what the plan says about a tool; return its result or None."""
    params = message["params"]
    match plan["answers"].get(params["name"], "echo"):
        case "echo":
            return say(json.dumps(params.get("arguments", {}), sort_keys=True), params)
        case "environment":
            return say(json.dumps(dict(os.environ)), params)
        case "crash":
            os._exit(7)
        case "slow":
            time.sleep(3)
            return say("late", params)
        case "hang":
            return None
        case "duplicate":
            send(f'{{"jsonrpc":"2.0","id":{json.dumps(message["id"])},"result":{{"content":[]}},"result":{{}}}}')
            return None
        case "oversized":
            send('"' + "x" * (17 * 1024 * 1024) + '"')
            return None
        case "ask":
            send({"jsonrpc": "2.0", "id": "s1", "method": plan["ask"], "params": plan.get("ask_params", {})})
            answer = json.loads(sys.stdin.readline())
            return say(json.dumps(answer), params)
        case "progress":
            for step in (1, 2):
                token = params["_meta"]["progressToken"]
                progress = {"progressToken": token, "progress": step}
                send({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress})
                send({"jsonrpc": "2.0", "method": "notifications/unheard_of", "params": {}})
            return say("done", params)
        case "input":
            asked = {"k": {"method": plan["ask"], "params": plan.get("ask_params", {})}}
            return {"resultType": "input_required", "inputRequests": asked, "requestState": "theirs"}
    return None


def answer(message):
    """Answer one request."""
    plan = json.loads(PLAN.read_text())
    method = message["method"]
    if method == "initialize":
        can = {"tools": {"listChanged": True}, "resources": {}}
        version = message["params"]["protocolVersion"]
        return {"protocolVersion": version, "capabilities": can, "serverInfo": {"name": "raw", "version": "1"}}
    if method == "tools/list":
        return {"tools": plan["tools"]}
    if method == "tools/call":
        return call(message, plan)
    return {"echo": message.get("params", {})}


for line in sys.stdin:
    with NOTES.open("a", encoding="utf-8") as notes:
        notes.write(line)
    received = json.loads(line)
    if received.get("method") == "announce":
        continue
    if "id" in received and "method" in received:
        result = answer(received)
        if result is not None:
            send({"jsonrpc": "2.0", "id": received["id"], "result": result})
