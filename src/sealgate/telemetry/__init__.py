"""What other instrumentation says about agents: OTLP bytes in, items of our record out, by one table.

Pure: no I/O, no clock, no randomness. ``protobuf`` and ``otlp_json`` read requests into spans and log records,
``conventions`` is the table, ``mapping`` and ``logs`` apply it. Nothing in here judges who may say so: that is the
collector's.
"""
