"""AgentDojo's environments, tools and tasks through a real gate.

Nobody here wrote the tasks or the attacks. What is ours are the role policies in ``suites/<name>/`` and the facts that
an enforcement point can state about a call (``facts``). ``python -m sealgate.demo agentdojo --help`` says how.
"""
