"""What each route does: one small method each, named in the routing table; modules are named like the tables."""

from .administration import AdministrationHandlers
from .approvals import ApprovalHandlers
from .call import Call, Handler
from .credentials import CredentialHandlers
from .decisions import DecisionHandlers
from .log import LogHandlers
from .retention import RetentionHandlers
from .service import ServiceHandlers
from .supply import SupplyHandlers
from .tasks import TaskHandlers

__all__ = ["Call", "Handler", "Handlers"]


class Handlers(
    DecisionHandlers,
    LogHandlers,
    TaskHandlers,
    ApprovalHandlers,
    CredentialHandlers,
    AdministrationHandlers,
    SupplyHandlers,
    RetentionHandlers,
    ServiceHandlers,
):
    """The handlers of the whole routing table over one authority."""
