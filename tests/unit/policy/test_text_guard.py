"""Untrusted policy text must never crash the process: what the guard accepts, the engine survives."""

import subprocess
import sys

import pytest

from sealgate.model.errors import InputError
from sealgate.policy import text_guard

_PARSE = """
import sys, threading, cedarpy
from sealgate.policy.policy_set import parse_policies
text = sys.stdin.read()
def work():
    try:
        if sys.argv[1] == "guarded":
            parse_policies(text, "x")
        else:
            cedarpy.PolicySet.from_str(text)
        handle = cedarpy.PolicySet.from_str(text)
        request = {"principal": 'A::"1"', "action": 'Action::"1"', "resource": 'A::"1"', "context": {"x": 1}}
        cedarpy.is_authorized(request, handle, "[]")
        print("parsed")
    except Exception as error:
        print("refused", type(error).__name__)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def _run(text, mode):
    return subprocess.run(
        [sys.executable, "-c", _PARSE, mode], input=text, capture_output=True, text=True, timeout=60, check=False
    )


def _rule(body):
    return f"permit(principal, action, resource) when {{ {body} }};"


_DEEPEST = text_guard.MAX_NESTING - 1  # the braces of `when` are one level
WORST = {
    "parentheses": "(" * _DEEPEST + "true" + ")" * _DEEPEST,
    "brackets": "[" * _DEEPEST + "1" + "]" * _DEEPEST + " == 1",
    "records": '{"a": ' * _DEEPEST + "1" + "}" * _DEEPEST + " == 1",
    "calls": "principal.contains(" * _DEEPEST + "1" + ")" * _DEEPEST,
    "conditionals": "if true then " * _DEEPEST + "true" + " else false" * _DEEPEST,
    "else chain": "if true then true else " * _DEEPEST + "true",
    "unary": "!!!!(" * _DEEPEST + "true" + ")" * _DEEPEST,
    "and chain": " && ".join(["true"] * (text_guard.MAX_OPERATORS - 5)),
    "plus chain": " + ".join(["1"] * (text_guard.MAX_OPERATORS - 6)) + " == 1",
    "members": "context" + ".x" * (text_guard.MAX_OPERATORS - 6),
    "indexes": "context" + '["x"]' * (text_guard.MAX_OPERATORS - 6),
    "everything": "(" * _DEEPEST + " && ".join(["context.x.x"] * 80) + ")" * _DEEPEST,
}


@pytest.mark.parametrize("name", WORST)
def test_worst_accepted_text_does_not_crash_a_thread(name):
    """The deepest text that the guard accepts is parsed and evaluated in a thread with the default stack."""
    done = _run(_rule(WORST[name]), "guarded")

    assert done.returncode == 0, done.stderr[-300:]
    assert done.stdout.startswith(("parsed", "refused ValueError", "refused InputError"))


def test_unguarded_text_does_crash_the_process():
    """Positive control: without the guard the engine overflows the stack and no handler runs."""
    done = _run(_rule("(" * 20_000 + "true" + ")" * 20_000), "unguarded")

    assert done.returncode < 0


@pytest.mark.parametrize(
    "body",
    [
        "(" * (_DEEPEST + 1) + "true" + ")" * (_DEEPEST + 1),
        "[" * (_DEEPEST + 1) + "1" + "]" * (_DEEPEST + 1),
        "if true then true else " * (_DEEPEST + 1) + "true",
        "!" * 5 + "true",
        " && ".join(["true"] * 500),
        "context" + ".x" * 500,
        "true)",
        "(true",
        "`",
        "\x00",
    ],
)
def test_beyond_a_bound_is_our_error(body):
    """One more than a bound, unbalanced brackets and foreign characters are refused by us, not by the engine."""
    with pytest.raises(InputError):
        text_guard.split_policies(_rule(body))


def test_brackets_in_strings_and_comments_do_not_count():
    """Only tokens nest: a text or a comment full of brackets is one level."""
    text = "// " + "(" * 500 + "\n" + _rule('context.x == "' + "(" * 500 + '\\"" // ;;;((\n')

    (statement,) = text_guard.split_policies(text)

    assert statement.line == 2


def test_statements_keep_their_text_and_line():
    """A file is split at each `;` outside strings, and a line number is where the policy starts."""
    first, second = text_guard.split_policies('permit(principal, action, resource);\n\n@id("b;")\n' + _rule("true"))

    assert (first.line, second.line) == (1, 3)
    assert second.text.startswith('@id("b;")')


def test_too_long_text_is_refused():
    """Size is bounded before anything looks at the text."""
    with pytest.raises(InputError, match="bytes"):
        text_guard.split_policies(" " * (text_guard.MAX_TEXT_BYTES + 1))
    with pytest.raises(InputError, match="surrogate"):
        text_guard.check_schema_text("\ud800")
    with pytest.raises(InputError, match="bracket"):
        text_guard.check_schema_text("entity A {")
