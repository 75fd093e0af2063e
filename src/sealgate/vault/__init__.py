"""The vault: what tokens stand for, apart from everything else, in its own process with its own keys.

Records and logs name people and values by tokens. Only the vault can say what a token stands for: to whom two persons
agreed to tell it, once, after the telling itself is a record. Erasing a person here leaves tokens that mean nothing.
"""
