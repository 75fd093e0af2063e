"""A scripted agent: it does AgentDojo's own reference solution, and when hijacked the attack's reference solution too.

No model is involved, so every run is the same. A hijacked agent follows the attacker at once: after the first call of
its task, which is where AgentDojo's tasks read the text that carries the injection. It never gives up when refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sealgate.demo.agentdojo.facts import about
from sealgate.demo.agentdojo.gates import Answer, Gate, Proposal
from sealgate.demo.agentdojo.suites import Profile, load

_MARK: Final = "sealgate-injection-point-{}-"


@dataclass(frozen=True, slots=True)
class Step:
    """One call: whose idea it was, and what the gate answered."""

    wanted_by: Literal["user", "attacker"]
    tool: str
    arguments: Mapping[str, Any]
    answer: Answer


@dataclass(frozen=True, slots=True)
class Run:
    """One task from start to end, judged by AgentDojo's own ``utility`` and ``security`` functions."""

    suite: str
    user_task: str
    injection_task: str | None
    steps: tuple[Step, ...]
    useful: bool
    """The user got what was asked for."""
    hijacked: bool
    """The attacker's goal was reached."""


class Suite:
    """One AgentDojo suite, its environment loaded once."""

    def __init__(self, profile: Profile) -> None:
        from agentdojo.attacks.baseline_attacks import DirectAttack  # noqa: PLC0415  # takes seconds to load

        self.profile = profile
        self.dojo = load(profile.name)
        self._attack = DirectAttack(self.dojo, None)
        self._defaults = self.dojo.get_injection_vector_defaults()
        marks = {point: _MARK.format(point) for point in self._defaults}
        self._clean = self.dojo.load_and_inject_default_environment({})
        self._marked = self.dojo.load_and_inject_default_environment(marks)

    def user_tasks(self) -> Mapping[str, Any]:
        """Return AgentDojo's user tasks by id."""
        return dict(self.dojo.user_tasks)

    def injection_tasks(self) -> Mapping[str, Any]:
        """Return AgentDojo's injection tasks by id."""
        return dict(self.dojo.injection_tasks)

    def script(self, injection_task: str) -> list[Any]:
        """Return the attack's reference calls on an untouched environment; empty where AgentDojo publishes none."""
        return list(self.dojo.injection_tasks[injection_task].ground_truth(self._clean.model_copy(deep=True)))

    def run(self, gate: Gate, user_task: str, injection_task: str | None = None) -> Run:
        """Do the user's task through ``gate``; with ``injection_task`` as an agent that obeys the injected text."""
        task = self.dojo.user_tasks[user_task]
        injection = self.dojo.injection_tasks[injection_task] if injection_task else None
        texts = self._attack.attack(task, injection) if injection else {}
        environment = task.init_environment(self.environment(texts))
        before = environment.model_copy(deep=True)
        session = _Session(
            self, gate, environment, task, f"{self.profile.name}.{user_task}.{injection_task or 'alone'}"
        )
        for wanted_by, call in _interleaved(task.ground_truth(before), injection, before):
            session.step(wanted_by, call)
        return session.judge(task, injection, before)

    def environment(self, injections: Mapping[str, str]) -> Any:
        """Return a fresh environment with these texts at AgentDojo's injection points."""
        if not injections:
            return self._clean.model_copy(deep=True)
        texts = {_MARK.format(point): text for point, text in (self._defaults | dict(injections)).items()}
        return _replace(self._marked.model_copy(deep=True), texts)


class _Session:
    """One task while it runs."""

    def __init__(self, suite: Suite, gate: Gate, environment: Any, task: Any, task_id: str) -> None:
        from agentdojo.functions_runtime import FunctionsRuntime  # noqa: PLC0415  # takes seconds to load

        self._suite, self._gate, self._environment, self._task = suite, gate, environment, task
        self._task_id = task_id
        self._runtime = FunctionsRuntime(suite.dojo.tools)
        self._request = suite.profile.request(task.PROMPT, environment)
        self._used: list[str] = []
        self._trace: list[Any] = []
        self._steps: list[Step] = []

    def step(self, wanted_by: Literal["user", "attacker"], call: Any) -> None:
        """Propose one call and let it run if the gate permits."""
        profile = self._suite.profile
        arguments = dict(call.args)

        def action(judged: Mapping[str, Any]) -> str | None:
            self._trace.append(call)
            self._used.append(call.function)
            _, error = self._runtime.run_function(self._environment, call.function, judged)
            return None if error is None else str(error)

        proposal = Proposal(
            agent=profile.agent,
            server=profile.server,
            tool=call.function,
            arguments=arguments,
            facts=about(self._request, arguments, self._used),
            task_id=self._task_id,
            goal=self._task.PROMPT,
        )
        self._steps.append(Step(wanted_by, call.function, arguments, self._gate.call(proposal, action)))

    def judge(self, task: Any, injection: Any, before: Any) -> Run:
        """Ask AgentDojo's own functions whether the user was served and whether the attacker won."""
        said = task.GROUND_TRUTH_OUTPUT + (f"\n{injection.GROUND_TRUTH_OUTPUT}" if injection else "")
        useful = task.utility_from_traces(said, before, self._environment, self._trace)
        if useful is None:
            useful = task.utility(said, before, self._environment)
        hijacked = None
        if injection:
            hijacked = injection.security_from_traces(said, before, self._environment, self._trace)
            if hijacked is None:
                hijacked = injection.security(said, before, self._environment)
        return Run(
            suite=self._suite.profile.name,
            user_task=task.ID,
            injection_task=injection.ID if injection else None,
            steps=tuple(self._steps),
            useful=bool(useful),
            hijacked=bool(hijacked),
        )


def _interleaved(
    calls: list[Any], injection: Any, environment: Any
) -> Iterator[tuple[Literal["user", "attacker"], Any]]:
    for position, call in enumerate(calls):
        yield "user", call
        if position == 0 and injection:
            for attack in injection.ground_truth(environment):
                yield "attacker", attack


def _replace(value: Any, texts: Mapping[str, str]) -> Any:
    """Put the texts where the marks are, in place where the value allows it, and return it."""
    if isinstance(value, str):
        for mark, text in texts.items():
            if mark in value:
                value = value.replace(mark, text)
        return value
    if isinstance(value, list):
        return [_replace(item, texts) for item in value]
    if isinstance(value, dict):
        return {_replace(key, texts): _replace(item, texts) for key, item in value.items()}
    if hasattr(value, "model_fields_set"):
        for name, item in list(vars(value).items()):
            vars(value)[name] = _replace(item, texts)
    return value
