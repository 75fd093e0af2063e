"""C2SP tlog-witness: a client for our ledger, and a witness that customers and auditors can run themselves.

A witness cosigns a log's checkpoint only if it extends the last one that it cosigned, so that nobody can be shown
another history without also fooling every witness of the quorum.
"""
