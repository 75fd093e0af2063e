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
    with DirectClient(open_servers.commands(), open_servers.environment()) as nobody:
        for attack, control in zip(attacks(world.servers), attacks(open_servers), strict=True):
            worked = control.happened(control.run(nobody))
            chapter.lines.append(_try(world, attack, worked_without=worked))
    chapter.figures = {"attacks": len(chapter.lines)}
    return chapter


def _try(world: World, attack: Attack, *, worked_without: bool) -> Line:
    before = len(world.servers.reached())
    answer = attack.run(world.agent)
    decision, why = decided(answer, world)
    reached, happened = len(world.servers.reached()) - before, attack.happened(answer)
    seen = [
        attack.unseen if not happened else "IT HAPPENED",
        "nothing reached the server" if not reached else "IT REACHED THE SERVER",
        "without the gate it works" if worked_without else "without the gate it DOES NOT WORK either",
    ]
    held = decision == attack.expected and not happened and not reached and worked_without
    if "name" in attack.params:
        what = shown(attack.params["name"], attack.params["arguments"], world)
    else:
        what = shown(attack.method, attack.params, world)
    return Line(what, decision, why, "; ".join(seen), held, answer.record_id)
