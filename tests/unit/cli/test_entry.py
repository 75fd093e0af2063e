"""The command's way in."""

import subprocess
import sys


def _run(before):
    code = f"import sys; {before}; sys.argv = ['sealgate', '--version']; from sealgate.__main__ import main; main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_client_alone_is_told_what_to_install():
    """`pip install sealgate` brings a library; who tries the command gets no traceback. Control: with all of it."""
    done = _run("sys.modules['click'] = None")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "sealgate: `click` is not installed",
        "  hint: commands need `pip install 'sealgate[server]'`",
    ]

    assert _run("pass").stdout.startswith("sealgate, version ")


def test_what_is_missing_of_our_own_is_a_defect():
    """That is not hidden behind advice."""
    done = _run("sys.modules['sealgate.cli'] = None")

    assert "Traceback" in done.stderr


def test_it_is_a_module_too():
    """`python -m sealgate` is the same command."""
    done = subprocess.run([sys.executable, "-m", "sealgate", "--version"], capture_output=True, text=True, check=False)

    assert done.stdout.startswith("python -m sealgate, version ")
