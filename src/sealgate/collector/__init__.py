"""The collector: takes items from many senders, makes them ready, hands them to an authority in batches.

It holds no keys and no store. What it acknowledges, an authority has on stable storage.
"""
