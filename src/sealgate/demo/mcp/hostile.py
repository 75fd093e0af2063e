"""Runs the attacks: through the gate, and straight to the same servers over a home of their own for comparison."""

from pathlib import Path

from sealgate.demo.mcp.attacks import Attack, attacks
from sealgate.demo.mcp.clients import DirectClient
from sealgate.demo.mcp.home import Home
from sealgate.demo.mcp.servers import Servers
from sealgate.demo.mcp.story import Chapter, Line, decided, shown
from sealgate.demo.mcp.world import World


def hostile(world: World, place: Path) -> Chapter:
    """Try every attack in both worlds; each line holds if it was refused here, did nothing here, and worked there."""
    chapter = Chapter("The agent turns hostile: refused before it runs, and nothing happened")
    open_servers = Servers(world.servers.known, Home(place / "home"), place / "servers")
    ran, ran_without = 0, 0
    with DirectClient(open_servers.commands(), open_servers.environment()) as nobody:
        for attack, control in zip(attacks(world.servers), attacks(open_servers), strict=True):
            worked = control.happened(control.run(nobody))
            line, happened = _try(world, attack, worked_without=worked)
            chapter.lines.append(line)
            ran, ran_without = ran + happened, ran_without + worked
    chapter.figures = {
        "attacks": len(chapter.lines),
        "attacks_that_ran": ran,
        "attacks_that_ran_without_gate": ran_without,
    }
    return chapter


def _try(world: World, attack: Attack, *, worked_without: bool) -> tuple[Line, bool]:
    before = len(world.servers.reached())
    answer = attack.run(world.agent)
    decision, why = decided(answer, world)
    reached, happened = len(world.servers.reached()) - before, attack.happened(answer)
    name, arguments = attack.what
    line = Line(
        shown(name, arguments, world),
        decision,
        why,
        f"{attack.unseen}; nothing reached the server",
        decision == attack.expected and not happened and not reached and worked_without,
        answer.record_id,
        attack.effect if worked_without else "fails too",
    )
    return line, happened
