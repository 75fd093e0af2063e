"""What of credentials is shown: what may be alive, what fails, which tokens must not count. Never a secret."""

from sealgate.authority.credential_records import CredentialRecords
from sealgate.authority.leases import Leases
from sealgate.authority.timekeeping import Timekeeper
from sealgate.model.credentials import CredentialView, RevokedToken, RevokedTokens


class CredentialViews:
    """Makes views of the leases."""

    def __init__(self, leases: Leases, records: CredentialRecords, time: Timekeeper) -> None:
        self._leases = leases
        self._records = records
        self._time = time

    def problem(self) -> str | None:
        """Return what is wrong with revocations, in one line, or None."""
        failing = [lease for lease in self._leases if lease.problem is not None]
        if not failing:
            return None
        return f"{len(failing)} cannot be revoked, first {failing[0].credential_id}: {failing[0].problem}"

    def metrics(self) -> dict[str, float]:
        """Return counters and gauges by Prometheus name."""
        counters = {f"sealgate_credentials_{name}_total": float(count) for name, count in self._records.counts.items()}
        failing = sum(lease.problem is not None for lease in self._leases)
        return {
            **counters,
            "sealgate_credentials_live": float(len(self._leases)),
            "sealgate_credentials_revocations_failing": float(failing),
        }

    def all(self) -> list[CredentialView]:
        """Return what may be alive, oldest first; never a secret."""
        text = self._time.text
        return [
            CredentialView(
                lease.credential_id,
                lease.name,
                lease.kind,
                lease.agent,
                lease.decision_id,
                lease.task_id,
                lease.audience,
                text(lease.expires_ms),
                "revoking" if lease.cause is not None else "live" if lease.issued else "issuing",
                lease.attempts,
                lease.problem,
            )
            for lease in self._leases
        ]

    def revoked_tokens(self) -> RevokedTokens:
        """Return what is not to be accepted although it has not expired; a token is here as soon as it has to end."""
        tokens = [RevokedToken(name, expires_ms // 1000) for name, expires_ms in sorted(self._leases.revoked.items())]
        return RevokedTokens(self._time.last_ms // 1000, tokens)
