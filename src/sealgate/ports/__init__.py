"""What a service needs from outside, as Protocols whose docstrings are contracts.

Every adapter of one port passes one shared suite in ``tests/contract``.
"""
