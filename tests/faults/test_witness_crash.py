"""A witness that is killed around its commit: nothing cosigned is ever forgotten, nothing forgotten was answered."""

import subprocess
import sys
import textwrap

import pytest

from sealgate.witness import keyfile, state

SCRIPT = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from sealgate.witness import state

    class Dying(state.State):
        def _commit(self):
            if sys.argv[2] == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            super()._commit()
            os.kill(os.getpid(), signal.SIGKILL)

    Dying(Path(sys.argv[1])).advance("log", lambda _: (2, b"two", b"note two"))
""")


@pytest.mark.parametrize(
    ("moment", "expected"), [("before", (1, b"one", b"note one")), ("after", (2, b"two", b"note two"))]
)
def test_kill_around_the_commit(tmp_path, moment, expected):
    """Killed before the commit the old state stands, killed after it the new one; never a mixture, never none."""
    database = tmp_path / "witness.sqlite"
    signer = keyfile.generate(tmp_path / "witness.key")
    state.create(database, "witness.example", signer.public_key)
    opened = state.State(database)
    opened.advance("log", lambda _: (1, b"one", b"note one"))
    opened.close()

    died = subprocess.run([sys.executable, "-c", SCRIPT, str(database), moment], check=False)

    assert died.returncode == -9
    assert state.State(database).latest("log") == expected


def test_a_refusal_rolls_back(tmp_path):
    """An error inside the decision leaves the stored tree and the database usable."""
    database = tmp_path / "witness.sqlite"
    state.create(database, "witness.example", bytes(32))
    opened = state.State(database)
    opened.advance("log", lambda _: (1, b"one", b"note one"))

    def refuse(stored):
        raise LookupError

    with pytest.raises(LookupError):
        opened.advance("log", refuse)

    assert opened.latest("log") == (1, b"one", b"note one")
    assert opened.advance("log", lambda _: (2, b"two", b"note two"))[0] == 2
