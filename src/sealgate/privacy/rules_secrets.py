"""Secrets and keys: the published forms of well-known issuers, and what is assigned to a name that says secret."""

import base64
import binascii
from math import log2
from typing import Final

import orjson

from .rules import LIKELY, SURE, WEAK, Rule

_PLACEHOLDER_WORDS: Final = (
    "example", "placeholder", "changeme", "change_me", "your_", "your-", "yourtoken", "insert", "redacted", "dummy",
    "<", ">", "${", "{{", "$(", "...", "xxxx", "****", "enter_", "replace", "process.env", "os.environ", "getenv",
)  # fmt: skip
_MIN_ENTROPY: Final = 3.0


def entropy(text: str) -> float:
    """Return Shannon's entropy of a text's characters, in bits a character."""
    size = len(text)
    return -sum(text.count(c) / size * log2(text.count(c) / size) for c in set(text)) if size else 0.0


def placeholder(text: str) -> bool:
    """Tell whether a value stands for a secret instead of being one."""
    lower = text.lower()
    if any(word in lower for word in _PLACEHOLDER_WORDS):
        return True
    return len(set(lower)) <= 3 or lower[:1] in {"$", "%", "{", "["}


def _token(text: str) -> bool:
    """Tell whether a value with an issuer's prefix varies as random text does."""
    body = text.rsplit("_", 1)[-1] if "_" in text else text.rsplit("-", 1)[-1]
    body = body if len(body) >= 12 else text
    return not placeholder(body) and entropy(body) >= 2.7


def _mixed(text: str) -> bool:
    return any(c.isdigit() for c in text) and _token(text)


def _assigned(text: str) -> bool:
    """Tell whether what is assigned to a secret's name could be one: long, varied, a digit, no word or path."""
    if len(text) < 10 or placeholder(text) or entropy(text) < _MIN_ENTROPY:
        return False
    if not any(c.isdigit() for c in text) or not any(c.isalpha() for c in text):
        return False
    return not (
        "(" in text or "::" in text or "->" in text or text.startswith(("/", "./", "http://", "https://", "file:"))
    )


def _password(text: str) -> bool:
    """Tell whether what is assigned to a password's name could be one."""
    return (
        len(text) >= 6
        and not placeholder(text)
        and not text.startswith(("/", "("))
        and len(set(text)) >= 5
        and "(" not in text
    )


def _jwt(text: str) -> bool:
    """Tell whether the first part is base64 of a JSON object."""
    head = text.split(".", 1)[0]
    try:
        value = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(value, dict)


def _pair(text: str) -> bool:
    """Tell whether ``user:password`` is more than a placeholder."""
    user, _, password = text.partition(":")
    weak = {"password", "pass", "token", "secret", "passwd", "pwd", "yyy", "xxx", "key", "pw", "test"}
    return (
        len(password) >= 3 and password.lower() not in weak and not placeholder(password) and user[:1] not in {"$", "{"}
    )


_TOKENS: Final = (
    # Amazon, Google, Azure, Alibaba, DigitalOcean, Heroku, Cloudflare, Databricks, Fly, Doppler, Scalingo, Planetscale
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}",
    r"ABSK[A-Za-z0-9+/]{80,}={0,2}",
    r"AIza[A-Za-z0-9_\-]{35}",
    r"ya29\.[A-Za-z0-9_\-]{20,}",
    r"GOCSPX-[A-Za-z0-9_\-]{20,40}",
    r"LTAI[A-Za-z0-9]{20}",
    r"do[opr]_v1_[a-f0-9]{64}",
    r"HRKU-[A-Za-z0-9_\-]{20,80}",
    r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}",
    r"dapi[a-f0-9]{32}(?:-\d)?",
    r"fo1_[A-Za-z0-9_\-]{43}",
    r"fm[12][ar]?_[A-Za-z0-9+/]{60,}={0,3}",
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.\-]{32,60}",
    r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9=._\-]{32,64}",
    # Source and packages
    r"gh[pousr]_[A-Za-z0-9]{36,}",
    r"github_pat_[A-Za-z0-9_]{60,}",
    r"gl(?:pat|ptt|dt|rt|ft|soat|agent|imt|cbt|oas|ffct)-[A-Za-z0-9_=\-]{20,}(?:\.[a-z0-9]{2,9}){0,3}",
    r"GR1348941[A-Za-z0-9_\-]{20,50}",
    r"_gitlab_session=[a-f0-9]{32}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_\-]{50,}",
    r"rubygems_[a-f0-9]{48}",
    r"CLOJARS_[A-Za-z0-9]{60}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{20,60}",
    r"sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}",
    r"ATATT3[A-Za-z0-9_\-=]{180,}|ATCTT3[A-Za-z0-9_\-=]{100,}|ATBB[A-Za-z0-9]{28,40}",
    r"API-[A-Z0-9]{26}",
    r"lin_(?:api|oauth)_[A-Za-z0-9]{32,64}",
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    r"rdme_[a-z0-9]{70}",
    r"sq[upa]_[A-Za-z0-9]{40}",
    # Models
    r"sk-ant-[a-z]{3,8}\d{2}-[A-Za-z0-9_\-]{60,}",
    r"sk-(?:proj|svcacct|admin|or-v1|lf)-[A-Za-z0-9_\-]{20,}",
    r"sk-[A-Za-z0-9]{20,64}(?:T3BlbkFJ[A-Za-z0-9]{20,74})?",
    r"hf_[A-Za-z]{34}|api_org_[A-Za-z]{34}|hf_[A-Za-z0-9]{34,40}",
    r"pplx-[A-Za-z0-9]{40,64}",
    r"gsk_[A-Za-z0-9]{40,64}",
    r"r8_[A-Za-z0-9]{37}",
    r"xai-[A-Za-z0-9]{60,}",
    # Talk and mail
    r"xox[abeoprs](?:\.xox[abp])?-(?:\d-)?[A-Za-z0-9\-]{14,}",
    r"xapp-\d-[A-Z0-9]{8,14}-\d{8,16}-[a-z0-9]{20,80}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{36,90}",
    r"https://[a-z0-9.\-]{1,60}\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/\-]{60,}",
    r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_\-]{60,80}",
    r"[MNOA][A-Za-z0-9_\-]{22,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}",
    r"\d{8,10}:A[A-Za-z0-9_\-]{34}",
    r"SG\.[A-Za-z0-9_\-]{20,24}\.[A-Za-z0-9_\-]{39,50}",
    r"key-[a-f0-9]{32}|pubkey-[a-f0-9]{32}",
    r"[a-f0-9]{32}-us\d{1,2}",
    r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
    r"(?:AC|SK)[a-f0-9]{32}",
    # Money
    r"(?:sk|rk|whsec)_(?:test|live|prod)_[A-Za-z0-9]{10,}",
    r"sq0(?:csp|atp|idp)-[A-Za-z0-9_\-]{22,60}|EAAA[A-Za-z0-9_+=\-]{50,70}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    r"(?:live|test)_[A-Za-z0-9_\-]{35,50}",
    r"FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,40}(?:-X)?",
    r"EZ[AT]K[A-Za-z0-9]{54}",
    r"access_token\$production\$[a-z0-9]{16}\$[a-f0-9]{32}",
    r"EAA[MC][A-Za-z0-9]{60,}",
    # Watching, building, running
    r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,3}|eyJrIjoi[A-Za-z0-9]{60,}={0,3}",
    r"sntry[su]_[A-Za-z0-9+/=_]{40,}",
    r"NR(?:AK|JS|II|IQ|RA)-[A-Za-z0-9_\-]{19,40}",
    r"dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    r"ntn_[0-9]{11}[A-Za-z0-9]{32,40}|secret_[A-Za-z0-9]{43}",
    r"figd_[A-Za-z0-9_\-]{38,50}",
    r"pul-[a-f0-9]{40}",
    r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=\-]{60,70}",
    r"hv[sbr]\.[A-Za-z0-9_\-]{24,}",
    r"ico-[A-Za-z0-9]{32}",
    r"ops_eyJ[A-Za-z0-9+/]{200,}={0,3}",
    r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
    r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    r"PRM[A-Z0-9]{32,60}|duffel_(?:test|live)_[A-Za-z0-9_\-=]{43}|dop_v1_[a-f0-9]{64}|tfp_[A-Za-z0-9_\-]{40,60}",
    r"4b1d[A-Za-z0-9]{38}",
    r"(?:CMVT|shippo_(?:live|test)|phc|phx|ghr|sdk|SWMTKN-1|mob|ddp|dd[pw])[_\-][A-Za-z0-9]{32,64}",
    r"mongodb\+srv_[A-Za-z0-9]{32}",
    r"v2\.[A-Za-z0-9_\-]{30,}\.[A-Za-z0-9_\-]{20,}",
    r"AKC[a-zA-Z0-9]{10,80}|AP[0-9A-F][a-zA-Z0-9]{8,80}",
)
"""What issuers write themselves, so that a leaked one is recognised."""

_NAMES: Final = (
    r"(?:secret|token|passphrase|credential|cred|api[_.\-]?key|apikey|app[_.\-]?key|access[_.\-]?key|access[_.\-]?id|auth[_.\-]?key|"
    r"auth|private[_.\-]?key|client[_.\-]?id|encryption[_.\-]?key|signing[_.\-]?key|account[_.\-]?key|shared[_.\-]?key|license[_.\-]?key|"
    r"webhook|login|session|key)"
)
_JOIN: Final = (
    r"[A-Za-z0-9_.\-]{0,40}[\"'`\]\\)]{0,3}[ \t]{0,8}(?::=|=>|==|=|:|\|\||,|>)[ \t]{0,8}[A-Za-z.]{0,12}\(?[\"'`\\]{0,3}"
)
_PASSWORDS: Final = r"(?:passw(?:or)?d|passwd|passphrase|\bpwd|_pwd|\bpass\b|_pass\b|passwort|contrase[nñ]a)"

RULES: Final = (
    Rule("private_key", r"-----BEGIN[A-Z0-9 ]{0,40} PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-[^-])*(?:-----END[A-Z0-9 ]{0,40}-----|\z)?", SURE, apart=False),
    Rule("jwt", r"ey[A-Za-z0-9_\-]{15,}\.ey[A-Za-z0-9_\-/+]{10,}\.[A-Za-z0-9_\-/+]*={0,2}", SURE, _jwt),
    *(Rule("secret", pattern, SURE, _token) for pattern in _TOKENS),
    Rule("secret", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}", SURE, _mixed),
    Rule(
        "secret",
        r"(?i)authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:bearer|basic|token|api-token|apikey|digest|key)\s{1,3})?([A-Za-z0-9_~+/.=@!#$%^&*:\-]{8,})",
        SURE, _mixed, group=1, apart=False,
    ),
    Rule("secret", r"(?i)\bbearer\s{1,3}([A-Za-z0-9_~+/.=\-]{16,})", LIKELY, _mixed, group=1, apart=False),
    Rule("secret", r"\bcurl\b[^\n]*?\s(?:-u|--user|--proxy-user)[ =]{1,3}[\"']?([^\s\"':]{1,}:[^\s\"']{3,})", SURE, _pair, group=1, apart=False),
    Rule("secret", r"(?i)(?:server|host|data source|accountname|endpoint)=[^;\n\"']{1,};[^\n\"']*?(?:password|pwd|accountkey|sharedaccesskey)=([^;\n\"']{4,})", SURE, None, group=1, apart=False),
    Rule("secret", rf"(?i){_NAMES}{_JOIN}([A-Za-z0-9_~+/.=@!#$%^&*:|\-]{{10,}})", LIKELY, _assigned, group=1, apart=False),
    Rule("secret", rf"(?i){_PASSWORDS}{_JOIN}([^\s\"'`,;<>]{{6,}})", LIKELY, _password, group=1, apart=False),
    Rule("secret", r"(?i)password[\"']?\s{1,4}value\s{0,3}=\s{0,3}[\"']([^\"'<>]{6,})[\"']", LIKELY, _password, group=1, apart=False),
    Rule("secret", r"[A-Za-z0-9_\-]{40,}", WEAK, _mixed, r"secret|token|\bkey\b|credential", WEAK),
)  # fmt: skip
"""In the order in which they are tried."""
