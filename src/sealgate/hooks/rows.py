"""What can go wrong between a host and a decision, and what each host then sees. The reference page is made from it.

Every row refuses. ``where`` says who notices: the command line in the settings (``shell``), the hook program, or the
daemon. Tests run every row against every host's form and both programs; the benchmark ``hooks`` runs them under the
real hosts, all but ``output closed``: there the host would have to close its own pipe.
"""

import sys
from typing import Final, Literal

from sealgate.hooks import doctor, outputs
from sealgate.hooks.events import HOSTS

Where = Literal["shell", "program", "daemon"]

ROWS: Final[dict[str, tuple[Where, str]]] = {
    "interpreter missing": ("shell", "the interpreter of the hook program is gone"),
    "program missing": ("shell", "the hook program is gone"),
    "program empty": ("shell", "the hook program's file is empty or cut"),
    "program crashed": ("shell", "the hook program ended with a status that is not its own"),
    "program ended well": ("shell", "something else ended with 0 in the hook program's place"),
    "program refused without a word": ("shell", "something else ended with 2 and said nothing"),
    "program killed": ("shell", "the hook program was killed"),
    "daemon missing": ("program", "no daemon runs, and none can be started"),
    "daemon and interpreter missing": ("program", "no daemon runs, and what would start it is gone"),
    "daemon crashed": ("program", "the daemon closed the connection without a word"),
    "daemon slow": ("program", "our own time was over before the daemon answered"),
    "answer unreadable": ("program", "something else answered on the socket"),
    "answer half written": ("program", "the answer was cut, at whatever byte"),
    "answer to another call": ("program", "the answer names another question"),
    "answer with more behind it": ("program", "the answer is longer than it says"),
    "status unknown": ("program", "the answer asks for a status that does not exist"),
    "status of another phase": ("program", "the answer to a call is one to its end"),
    "refusal without a word": ("program", "the answer refuses and says nothing"),
    "folder open to others": ("program", "others may write where the daemon's socket is"),
    "stranger's socket": ("program", "the process behind the socket belongs to another user"),
    "input never ends": ("program", "the host does not close our input"),
    "input oversized": ("program", "the event is larger than 8 MiB"),
    "output closed": ("program", "nobody reads what we print; Codex and Gemini run the tool then"),
    "input empty": ("daemon", "the host sent nothing"),
    "input unreadable": ("daemon", "the event is no JSON"),
    "input ambiguous": ("daemon", "a key of the event comes twice"),
    "event unknown": ("daemon", "the host named an event that is not known here"),
    "authority gone": ("daemon", "the authority does not answer"),
    "authority declines": ("daemon", "the decision is DENY or SILENCE"),
    "duty unknown": ("daemon", "the permit asks for something that a hook cannot do"),
}
"""Name → who notices, what happened."""

_HEAD: Final = """\
# What hooks answer

<!-- Made by `python -m sealgate.hooks.rows`; a test compares. Change that module instead. -->

The exit status carries the decision; what is printed are words for the model. Status 0 without output is a permit:
the host goes on as it would have without us. Everything else refuses.

The command in a host's settings ends so; the hook program in it has statuses of its own (90 permits, 92 refuses), and
whatever else it ends with refuses. Both programs, in Perl and in Python, answer alike.
"""


def page() -> str:
    """Return the reference page, Markdown."""
    lines = [_HEAD, "## Refusals and permits", "", "| host | refusal: status | standard output | permit |"]
    lines.append("| --- | --- | --- | --- |")
    for host in HOSTS:
        refusal = outputs.refusal(host, "REASON")
        allow = outputs.permit(host, "allow", "REASON").stdout.decode()
        permit = f"nothing, or with `--on-permit allow` `{allow}`" if allow else "nothing"
        lines.append(f"| {host} | {refusal.status} | `{refusal.stdout.decode()}` | {permit} |")
    lines += [
        "",
        "Where the status is 2, the reason is on standard error too. Copilot drops the reason of a failed hook,",
    ]
    lines += ["so a refusal there ends with 0 after all of it was written, and with 2 when it could not be.", ""]
    lines += ["## Failures", "", "| row | noticed by | what happened | " + " | ".join(HOSTS) + " |"]
    lines.append("| --- | --- | --- |" + " --- |" * len(HOSTS))
    for name, (where, text) in ROWS.items():
        seen = [f"status {_status(host, where)}" for host in HOSTS]
        lines.append(f"| {name} | {where} | {text} | {' | '.join(seen)} |")
    lines += ["", "## What escapes", "", "No hook can prevent these; `sealgate hook doctor HOST` says them too.", ""]
    for host in HOSTS:
        lines += [f"### {host}", "", *(f"- {text}" for text in doctor.escapes(host)), ""]
    return "\n".join(lines[:-1]) + "\n"


def _status(host: str, where: Where) -> str:
    """The shell and the program refuse by status alone; the daemon in the host's own form."""
    return "2" if where != "daemon" or outputs.refusal(host, "x").status else "0, refusal in words"


if __name__ == "__main__":
    sys.stdout.write(page())
