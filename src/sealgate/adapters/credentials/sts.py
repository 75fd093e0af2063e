"""AWS STS: a role assumed under a session policy that is narrower than the role.

STS gives no session less than 15 minutes. So the session policy that we send denies everything from the credential's
own expiry on: the keys live for 15 minutes, and are good for nothing after the expiry.

A session cannot be ended. ``deny_policy`` revokes by an inline policy on the role that denies everything to the named
sessions (``aws:userid`` ends with the session's name, which is derived from the credential's id): it holds within
seconds, as fast as IAM carries changes to its regions, and needs ``iam:GetRolePolicy`` and ``iam:PutRolePolicy`` on the
role. ``expiry`` has no way, and says so in the record.
"""

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sealgate.model.credentials import Result
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.credentials import Ended, Order, Secret

POLICY_NAME: Final = "sealgate-revoked"
_LEAST_S: Final = 900
_MAX_POLICY_CHARS: Final = 2048
_MAX_DENIED: Final = 120
_BOUNDED: Final = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})


class StsBackend:
    """Assumes one role (ports.credentials.CredentialBackend)."""

    kind: Final = "sts"
    audiences: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    def __init__(
        self, role: str, policy: dict[str, Any], *, region: str, endpoint: str = "", deny: bool = True
    ) -> None:
        self._role = role
        self._policy = policy
        self._deny = deny
        self._lock = threading.Lock()
        statements = policy.get("Statement")
        if policy.get("Version") != "2012-10-17" or not isinstance(statements, list) or not statements:
            hint = 'an object with Version "2012-10-17" and a list of statements'
            raise ConfigurationError("the session policy is not an IAM policy", hint=hint)
        if ":role/" not in role:
            raise ConfigurationError(
                f"`{role[:120]}` is not the ARN of a role", hint="arn:aws:iam::<account>:role/<name>"
            )
        self._bounded(datetime.now(UTC))  # its length is known now, not at the first issue
        try:
            options = {"region_name": region or None, "endpoint_url": endpoint or None, "config": _BOUNDED}
            self._sts = boto3.client("sts", **options)
            self._iam = boto3.client("iam", **options)
        except (BotoCoreError, ValueError) as error:
            raise UnavailableError(f"AWS cannot be reached: {error}", hint="set `region`") from error

    def issue(self, order: Order) -> Secret:
        """Assume the role."""
        expires = datetime.fromtimestamp(order.expires_ms / 1000, UTC)
        try:
            answer = self._sts.assume_role(
                RoleArn=self._role,
                RoleSessionName=_session(order.credential_id, order.expires_ms),
                Policy=self._bounded(expires),
                DurationSeconds=max(_LEAST_S, (order.expires_ms - order.issued_ms) // 1000),
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable("AssumeRole", error) from None
        given = answer["Credentials"]
        return Secret(
            {
                "access_key_id": given["AccessKeyId"],
                "secret_access_key": given["SecretAccessKey"],
                "session_token": given["SessionToken"],
            }
        )

    def revoke(self, ended: Ended) -> Result:
        """Deny everything to the session, where that is allowed."""
        if time.time() * 1000 >= ended.expires_ms:
            return "revoked"  # the session policy denies everything from then on
        if not self._deny:
            return "left_to_expire"
        with self._lock:  # read, change, write: one at a time
            denied = [name for name in self._denied() if _expiry_of(name) > time.time()]
            wanted = _session(ended.credential_id, ended.expires_ms)
            if wanted not in denied:
                denied.append(wanted)
            if len(denied) > _MAX_DENIED:
                raise UnavailableError("the role's inline policy has no room for more revoked sessions")
            self._put(denied)
        return "revoked"

    def live(self) -> list[str] | None:
        """STS lists no sessions."""
        return None

    def close(self) -> None:
        """Close connections."""
        self._sts.close()
        self._iam.close()

    def _bounded(self, expires: datetime) -> str:
        over = {"DateGreaterThan": {"aws:CurrentTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": over}
        text = json.dumps({**self._policy, "Statement": [*self._policy["Statement"], deny]}, separators=(",", ":"))
        if len(text) > _MAX_POLICY_CHARS:
            raise ConfigurationError("the session policy is too long", hint=f"{_MAX_POLICY_CHARS} characters with ours")
        return text

    def _denied(self) -> list[str]:
        try:
            found = self._iam.get_role_policy(RoleName=self._role_name, PolicyName=POLICY_NAME)["PolicyDocument"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchEntity":
                return []
            raise _unavailable("GetRolePolicy", error) from None
        except BotoCoreError as error:
            raise _unavailable("GetRolePolicy", error) from None
        document = json.loads(unquote(found)) if isinstance(found, str) else found
        named = document["Statement"][0]["Condition"]["StringLike"]["aws:userid"]
        return [str(name).removeprefix("*:") for name in named]

    def _put(self, denied: list[str]) -> None:
        condition = {"StringLike": {"aws:userid": [f"*:{name}" for name in denied]}}
        statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
        try:
            self._iam.put_role_policy(RoleName=self._role_name, PolicyName=POLICY_NAME, PolicyDocument=document)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable("PutRolePolicy", error) from None

    @property
    def _role_name(self) -> str:
        return self._role.rpartition("/")[2]


def _session(credential_id: str, expires_ms: int) -> str:
    return f"sg-{expires_ms // 1000}-{credential_id.replace('-', '')}"


def _expiry_of(session: str) -> float:
    """Return when a session's policy ends it: after that it need not be denied by name."""
    parts = session.split("-")
    return float(parts[1]) if len(parts) == 3 and parts[1].isdigit() else float("inf")


def _unavailable(call: str, error: Exception) -> UnavailableError:
    code = error.response.get("Error", {}).get("Code", "?") if isinstance(error, ClientError) else type(error).__name__
    return UnavailableError(f"AWS {call} failed: {code}", hint="check the role's trust policy and our own permissions")
