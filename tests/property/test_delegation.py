"""Random delegation chains: whatever links say, the chain covers no action that one of its links does not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.model.delegations import ALL, MAX_DEPTH, Bound, Delegation
from sealgate.model.errors import InputError
from sealgate.policy.delegation import narrowed, problem_of

TOOLS = ("pay", "read", "send")
RESOURCES = ("tool_server::bank", "tool_server::mail")
ARGUMENTS = ("amount", "to")

amounts = st.integers(-5, 5).map(str)
bounds = st.builds(
    Bound,
    tool=st.sampled_from((*TOOLS, ALL)),
    argument=st.sampled_from(ARGUMENTS),
    max=st.none() | amounts,
    min=st.none() | amounts,
    one_of=st.none() | st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=3),
)
links = st.fixed_dictionaries(
    {
        "tools": st.none() | st.just([ALL]) | st.lists(st.sampled_from(TOOLS), min_size=1, max_size=3),
        "resources": st.none() | st.just([ALL]) | st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2),
        "bounds": st.lists(bounds, max_size=3),
    }
)
actions = st.tuples(
    st.sampled_from((*TOOLS, "other")),
    st.sampled_from((*RESOURCES, "tool_server::other")),
    st.dictionaries(
        st.sampled_from((*ARGUMENTS, "more")),
        st.integers(-7, 7) | st.sampled_from(("a", "b", "x", "3")) | st.lists(st.sampled_from(("a", "b", "x"))),
    ),
)


def _link(above, wanted):
    tools, resources, held = narrowed(above, **wanted)
    return Delegation(
        delegation_id="d",
        delegator="x",
        delegator_type="agent",
        delegate="y",
        parent=None,
        depth=above.depth + 1 if above else 1,
        tools=tools,
        resources=resources,
        bounds=held,
        task=None,
        expires_at="",
        expires_ms=0,
        granted_by="",
        reason="",
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(links, min_size=1, max_size=MAX_DEPTH), st.lists(actions, min_size=1, max_size=20))
def test_no_chain_is_wider_than_any_of_its_links(chain, asked):
    """What the last link covers, every link above covers too: inheriting and refusing leave nothing wider."""
    above = None
    held = []
    for wanted in chain:
        try:
            above = _link(above, wanted)
        except InputError:
            continue  # refused as wider or malformed: the chain stays as it is
        held.append(above)
    for tool, resource, arguments in asked:
        covered = [problem_of(link, tool, resource, arguments) == "" for link in held]
        for number, inside in enumerate(covered):
            if inside:
                assert all(covered[:number]), (held, tool, resource, arguments)


@settings(max_examples=200, deadline=None)
@given(links, st.lists(actions, min_size=1, max_size=20))
def test_a_link_that_leaves_all_out_is_as_wide_as_the_one_above(wanted, asked):
    """The positive control: nothing is lost where nothing is taken away."""
    try:
        above = _link(None, wanted)
    except InputError:
        return
    same = _link(above, {"tools": None, "resources": None, "bounds": []})
    for tool, resource, arguments in asked:
        covered = problem_of(above, tool, resource, arguments)
        assert (problem_of(same, tool, resource, arguments) == "") == (covered == "")
