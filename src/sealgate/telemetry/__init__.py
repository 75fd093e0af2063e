"""What other instrumentation says about agents: OTLP bytes in, items of our record out, by one table.

Pure: no I/O, no clock, no randomness. ``protobuf`` and ``otlp_json`` read requests into spans and log records,
``conventions`` is the table, ``log_events`` that of log records; ``mapping`` and ``logs`` apply them. Nothing in here
judges who may say so: that is the collector's.
"""
