"""Puts the evidence service's API together."""

from sealgate.access.service import EvidenceService
from sealgate.server.api import Api
from sealgate.server.metrics import Metrics

from .handlers import Handlers
from .openapi import document_bytes
from .routes import ROUTES


def evidence_api(service: EvidenceService) -> Api:
    """Return the evidence service's API: its questions and what every service has."""
    metrics = Metrics()
    return Api(service, ROUTES, Handlers(service, metrics, document_bytes()), metrics)
