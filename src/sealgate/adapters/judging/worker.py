"""One judge: loads policy sets, answers questions, ends with its asker.

Started as ``python -m sealgate.adapters.judging.worker FD`` with one end of a socket pair.

It holds no key, opens no file and writes nothing: it turns questions into verdicts.
"""

import gc
import socket
import sys

import orjson

from sealgate.adapters.children import frames
from sealgate.adapters.children.signals import leave_to_asker
from sealgate.adapters.judging import messages
from sealgate.adapters.judging.messages import Ask, Load, Loaded, Question, Told, Verdict
from sealgate.model.errors import SealgateError
from sealgate.policy.decision_point import DecisionPoint
from sealgate.policy.verdicts import PolicyRequest


class Judge:
    """Answers questions about the one policy set it has loaded."""

    def __init__(self) -> None:
        self._point: DecisionPoint | None = None

    def load(self, message: Load) -> Loaded:
        """Load a policy set; one that does not load leaves none."""
        self._point = None
        try:
            self._point = DecisionPoint.from_bundle(message.bundle)
        except SealgateError:
            return Loaded(message.version, ok=False)
        gc.collect()
        gc.freeze()  # the policy set stays; the collector need not walk it
        return Loaded(message.version, ok=self._point.version == message.version)

    def answer(self, message: Ask) -> Told:
        """Answer questions, unless they are about another policy set."""
        point = self._point
        if point is None or point.version != message.version:
            return Told([], [question.number for question in message.questions])
        return Told([_verdict(point, question) for question in message.questions], [])


def _verdict(point: DecisionPoint, question: Question) -> Verdict:
    verdict = point.decide(
        PolicyRequest(
            principal=question.principal,
            action=question.action,
            resource=question.resource,
            arguments=orjson.loads(question.arguments),
            facts=orjson.loads(question.facts) if question.facts else {},
        )
    )
    return Verdict(
        question.number,
        verdict.outcome.value,
        verdict.reason.value,
        verdict.message,
        list(verdict.policies),
        [duty.as_json() for duty in verdict.obligations],
    )


def serve(connection: socket.socket) -> None:
    """Answer until the other side closes."""
    judge = Judge()
    stream = connection.makefile("rb", buffering=1 << 18)
    while (payload := frames.read(stream)) is not None:
        message = messages.decode_to_judge(payload)
        answer = judge.load(message) if isinstance(message, Load) else judge.answer(message)
        connection.sendall(frames.frame(messages.encode(answer)))


if __name__ == "__main__":
    leave_to_asker()
    serve(socket.socket(fileno=int(sys.argv[1])))
