"""Command lines: split only where the split is certain."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.hooks.shell import Command, parse


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("git status", [("git", "status")]),
        ("git commit -m 'a; b && c > d'", [("git", "commit", "-m", "a; b && c > d")]),
        ("a && b || c; d | e & f", [(name,) for name in "abcdef"]),
        ("a\nb", [("a",), ("b",)]),
        ('echo "x (y)"', [("echo", "x (y)")]),
        ("git show HEAD~1", [("git", "show", "HEAD~1")]),
        ("make 2>&1", [("make",)]),
        ("echo '$HOME'", [("echo", "$HOME")]),
        (r"echo \;", None),
    ],
)
def test_certain_lines(line, commands):
    """Simple commands come out word by word; an escaped operator is left opaque."""
    found = parse(line)

    if commands is None:
        assert found[0].why_opaque
    else:
        assert [(item.program, *item.words) for item in found] == commands
        assert not any(item.why_opaque for item in found)


@pytest.mark.parametrize(
    "line",
    [
        "", "  ", "echo $HOME", 'echo "$HOME"', "echo `id`", 'echo "`id`"', "echo $(id)", "(rm x)", "{ rm x; }",
        "FOO=1 ls", "if true; then rm x; fi", "eval rm x", "cat <<END\nrm\nEND", "cat <(id)", "echo 'a", "cd / && rm x",
        "export PATH=.; ls", "ls # x", "rm ~/x", "/bin/r? x", "a;;b",
        "echo ';' ; ls '>' x", "kill 1 >x", "x >$y", "! ls",
        "a\\\nb", "ls\r", "echo 'a\nb'\nls", ";".join(["a"] * 17), " ".join(["a"] * 300), "ls > a*", "ls >& x",
        "command rm x", ". ./x", "\x00",
    ],
)  # fmt: skip
def test_uncertain_lines_are_opaque(line):
    """Whatever the shell decides when it runs leaves one opaque command."""
    found = parse(line)

    assert len(found) == 1
    assert found[0].why_opaque
    assert not found[0].program


def test_redirections_are_places():
    """What is written and read is told apart from the words."""
    assert parse("sort < a > b 2>>c") == [Command("sort", (), ("b", "c"), ("a",))]


@pytest.mark.parametrize("line", ["ls ~", "~/x", ";~", "a=~", "true&~/x", "true|~"])
def test_homes_are_not_guessed(line):
    """What the shell would make a home folder of is never taken for a word; in quotes it is one."""
    assert any(command.why_opaque for command in parse(line))
    assert not parse("ls '~'")[0].why_opaque


def test_globs_are_told():
    """A glob outside of quotes marks the line, one inside does not."""
    assert parse("ls *.py")[0].expands
    assert not parse("ls '*.py'")[0].expands


@given(st.text(st.sampled_from("ab '\"\\;&|<>#*?[]{}()$`~=!\n12-/"), max_size=14))
@settings(max_examples=150, deadline=None)
def test_words_are_those_of_the_shell(line):
    """Where a line is one certain command without globs, bash sees exactly the same words."""
    found = parse(line)
    if len(found) != 1 or found[0].why_opaque or found[0].expands or found[0].writes or found[0].reads:
        return
    words = [found[0].program, *found[0].words]
    bare = line.strip().strip(";&|").strip()
    if bare.endswith("\\"):  # what was stripped here was quoted there
        return
    script = 'f() { printf "%s\\0" "$@"; }; f ' + bare
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=False, timeout=60)
    if done.returncode == 0:
        assert done.stdout.decode().split("\0")[:-1] == words
