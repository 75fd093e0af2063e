"""The authority's routing table: every path, who may use it, what it takes and what it answers.

Code and documents read it.
"""

from typing import Final

from sealgate.server.route import Route

from . import administration, approvals, credentials, decisions, log, retention, service, supply, tasks

ROUTES: Final[tuple[Route, ...]] = (
    *decisions.ROUTES,
    *log.ROUTES,
    *tasks.ROUTES,
    *approvals.ROUTES,
    *credentials.ROUTES,
    *administration.ROUTES,
    *supply.ROUTES,
    *retention.ROUTES,
    *service.ROUTES,
)
