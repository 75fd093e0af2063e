"""Puts the collector's API together."""

from sealgate.collector.service import Collector
from sealgate.server.api import Api
from sealgate.server.metrics import Metrics

from .handlers import Handlers
from .openapi import document_bytes
from .routes import ROUTES


def collector_api(collector: Collector) -> Api:
    """Return the collector's API: the native endpoint and what every service has."""
    metrics = Metrics()
    return Api(collector, ROUTES, Handlers(collector, metrics, document_bytes()), metrics)
