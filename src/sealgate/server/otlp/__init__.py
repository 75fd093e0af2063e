"""OTLP receivers: what exporters and OpenTelemetry collectors send, over HTTP and gRPC, on top of our collector.

Both ways in share ``intake``: bytes to items by the table of ``sealgate.telemetry``, items to the collector, an answer
only once the authority has them on stable storage. They differ in transport, status codes and nothing else.
"""
