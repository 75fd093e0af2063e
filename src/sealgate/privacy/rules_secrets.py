"""Secrets and keys: the published forms of well-known issuers, and what is assigned to a name that says secret."""

from typing import Final

from .rules import LIKELY, SURE, WEAK, Rule
from .secret_checks import assigned, jwt, key_block, mixed, password, token, user_and_password

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
    r"gl(?:pat|dt|rt|ft|soat|ffct)-[A-Za-z0-9_=\-]{20,}(?:\.[a-z0-9]{2,9}){0,3}",
    r"glptt-[A-Za-z0-9_\-]{40}|glimt-[A-Za-z0-9_\-]{25}|glagent-[A-Za-z0-9_\-]{50}|gloas-[A-Za-z0-9_\-]{64}|glcbt-[A-Za-z0-9]{1,5}_[A-Za-z0-9_\-]{20}",
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
    r"sk-ant-[a-z]{3,8}\d{2}-[A-Za-z0-9_\-]{80,}",
    r"sk-(?:proj|svcacct|admin|or-v1|lf)-[A-Za-z0-9_\-]{20,}",
    r"sk-[A-Za-z0-9]{20,64}(?:T3BlbkFJ[A-Za-z0-9]{20,74})?",
    r"hf_[A-Za-z0-9]{34,40}",
    r"pplx-[A-Za-z0-9]{40,64}",
    r"gsk_[A-Za-z0-9]{40,64}",
    r"r8_[A-Za-z0-9]{37}",
    r"xai-[A-Za-z0-9]{60,}",
    # Talk and mail
    r"xox[abeoprs](?:\.xox[abp])?-(?:\d-)?[A-Za-z0-9\-]{13,}[A-Za-z0-9]",
    r"xapp-\d-[A-Z0-9]{8,14}-\d{8,16}-[a-z0-9]{20,80}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{36,90}",
    r"https://[a-z0-9.\-]{1,60}\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/\-]{60,}",
    r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_\-]{60,80}",
    r"[MNOA][A-Za-z0-9_\-]{22,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}",
    r"(?:bot)?\d{5,16}:A[A-Za-z0-9_\-]{34}",
    r"SG\.[A-Za-z0-9_\-]{20,24}\.[A-Za-z0-9_\-]{39,50}",
    r"key-[a-f0-9]{32}|pubkey-[a-f0-9]{32}",
    r"[a-f0-9]{32}-us\d{1,2}",
    r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
    r"(?:AC|SK)[a-z0-9]{32}",
    # Money
    r"(?:sk|rk|whsec)_(?:test|live|prod)_[A-Za-z0-9]{10,}",
    r"sq0(?:csp|atp|idp)-[A-Za-z0-9_\-]{22,60}|EAAA[A-Za-z0-9_+=\-]{50,70}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    r"(?:live|test)_[A-Za-z0-9_\-]{35,50}",
    r"FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,40}(?:-X)?",
    r"EZ[AT]K[A-Za-z0-9]{54}",
    r"access_token\$production\$[a-z0-9]{16}\$[a-f0-9]{32}",
    r"\d{13,17}\|[A-Za-z0-9_\-]{27}",
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
    r"duffel_(?:test|live)_[A-Za-z0-9_\-=]{43}|dop_v1_[a-f0-9]{64}|tfp_[A-Za-z0-9_\-]{40,60}",
    r"4b1d[A-Za-z0-9]{38}",
    r"(?:CMVT|shippo_(?:live|test)|phc|phx|SWMTKN-1|pnu)[_\-][A-Za-z0-9]{32,64}",
    r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",
    r"s\.[A-Za-z0-9]{24}",
    r"sl\.[A-Za-z0-9\-=_]{130,}",
    r"t1\.[A-Za-z0-9_\-]{30,}\.[A-Za-z0-9_\-]{80,}|AQVN[A-Za-z0-9_\-]{35,38}|YC[A-Za-z0-9_\-]{38}",
    r"dnkey-[A-Za-z0-9=_\-]{26}-[A-Za-z0-9=_\-]{52}",
    r"fio-u-[A-Za-z0-9\-_=]{64}",
    r"[ps]at\.[A-Za-z0-9_\-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}",
    r"s-s4t2(?:ud|af)-[a-f0-9]{64}",
    r"sha256~[A-Za-z0-9_\-]{43}",
    r"access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    r"sm_(?:aat|pat|sat)_[A-Za-z0-9]{16}",
    r"ABSKQmVk[A-Za-z0-9+/=]{80,}|bedrock-api-key-[A-Za-z0-9+/=]{60,}",
    r"AGPA[A-Z0-9]{16}|amzn\.mws\.[0-9a-f\-]{36}",
    r"mongodb\+srv_[A-Za-z0-9]{32}",
    r"v2\.[A-Za-z0-9_\-]{30,}\.[A-Za-z0-9_\-]{20,}",
    r"AKC[a-zA-Z0-9]{10,80}|AP[0-9A-F][a-zA-Z0-9]{8,80}",
)
"""What issuers write themselves, so that a leaked one is recognised."""

_NAMES: Final = (
    r"(?:secret|token|passphrase|credential|api[_.\-]?key|app[_.\-]?key|access[_.\-]?key|access[_.\-]?id|auth[_.\-]?key|"
    r"[_.\-]auth|private[_.\-]?key|encryption[_.\-]?key|signing[_.\-]?key|account[_.\-]?key|shared[_.\-]?key|license[_.\-]?key|"
    r"master[_.\-]?key|service[_.\-]?key|client[_.\-]?key|deploy[_.\-]?key|webhook|\bkey|[_.\-]key|\bauth|\bcred|[_.\-]cred)"
)
_ISSUERS: Final = (
    r"(?:adafruit|adobe|airtable|algolia|alibaba|amplitude|anthropic|artifactory|asana|atlassian|auth0|aws|azure|bamboo|beamer|"
    r"bitbucket|bittrex|braintree|cloudflare|codecov|cohere|coinbase|confluence|confluent|contentful|datadog|databricks|deepseek|"
    r"digitalocean|discord|docker|doppler|droneci|dropbox|dynatrace|elastic|etsy|facebook|fastly|figma|finicity|finnhub|flickr|"
    r"flutterwave|freshbooks|gcp|gitea|github|gitlab|gitter|google|grafana|harness|hashicorp|heroku|hubspot|huggingface|"
    r"infracost|instagram|intercom|jenkins|jfrog|jira|kraken|kucoin|launchdarkly|linear|linkedin|lob|mailchimp|mailgun|mapbox|"
    r"mattermost|meraki|messagebird|mistral|netlify|newrelic|new-relic|notion|npm|nuget|nytimes|octopus|okta|openai|opsgenie|"
    r"pagerduty|paypal|perplexity|plaid|planetscale|postman|pulumi|rapidapi|rubygems|scalingo|segment|sendbird|sendgrid|"
    r"sendinblue|sentry|shippo|shopify|sidekiq|slack|snyk|sonar(?:qube|cloud)?|sourcegraph|splunk|square|squarespace|stripe|sumo|"
    r"supabase|telegram|travis|trello|twilio|twitch|twitter|typeform|vercel|vault|yandex|zendesk|zoom)"
)
"""Who gives out keys: a long random value that is assigned to such a name is one."""
_JOIN: Final = (
    r"[A-Za-z0-9_.\-]{0,40}[\"'`\]\\)]{0,3}[ \t]{0,8}(?::{0,3}=|[?]=|=>|==|=|:|\|\||,)[ \t]{0,8}"
    r"(?:[A-Za-z_.]{1,20}\()?[\"'`\\]{0,3}"
)
_NO_SECRETS: Final = (
    r"(?:csrf|xsrf|public|primary|foreign|sort|partition|cache|issuer|map|row|column|idx|index|token(?:izer|type|_type|_count|s)|"
    r"auth(?:or|ority|entication)|keyboard|key(?:word|frame|code|pad|chars|_length|length|size|_size|name|_name|space))"
    r"[A-Za-z0-9_.\-]{0,40}"
)
"""Names that hold a word of a secret's name and are none; they are matched first, so that nothing is taken from them."""
_PASSWORDS: Final = r"(?:passw(?:or)?d|passwd|passphrase|\bpwd|_pwd|\bpass\b|_pass\b|passwort|contrase[nñ]a)"

RULES: Final = (
    Rule("private_key", r"-----BEGIN[A-Z0-9 ]{0,40} PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-[^-])*(?:-----END[A-Z0-9 ]{0,40}-----|\z)?", SURE, key_block, apart=False),
    Rule("jwt", r"ey[A-Za-z0-9_\-]{15,}\.ey[A-Za-z0-9_\-/+]{10,}(?:\.[A-Za-z0-9_\-/+]*={0,2})?", SURE, jwt, edges="start"),
    *(Rule("secret", pattern, SURE, mixed, edges="start") for pattern in _TOKENS),
    Rule("secret", r"(?:hf|api_org)_[A-Za-z]{34}", SURE, token),
    Rule("secret", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}", SURE, mixed, edges="none"),
    Rule(
        "secret",
        r"(?i)authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:bearer|basic|token|api-token|apikey|digest|key)\s{1,3})?([A-Za-z0-9_~+/.=@!#$%^&*:\-]{8,})",
        SURE, mixed, group=1, apart=False,
    ),
    Rule("secret", r"(?i)\bbearer\s{1,3}([A-Za-z0-9_~+/.=\-]{16,})", LIKELY, mixed, group=1, apart=False),
    Rule("secret", r"\bcurl\b[^\n]*?\s(?:-u|--user|--proxy-user)[ =]{1,3}[\"']?([^\s\"':]{1,}:[^\s\"']*)", SURE, user_and_password, group=1, apart=False),
    Rule("secret", r"(?i)(?:server|host|data source|accountname|endpoint)=[^;\n\"']{1,};[^\n\"']*?(?:password|pwd|accountkey|sharedaccesskey)=([^;\n\"']{4,})", SURE, None, group=1, apart=False),
    Rule("secret", rf"(?i){_NO_SECRETS}|{_NAMES}{_JOIN}([A-Za-z0-9_~+/.=@!#$%^&*:|\-]{{10,}})", LIKELY, assigned, group=1, apart=False),
    Rule("secret", rf"(?i){_ISSUERS}{_JOIN}([A-Za-z0-9_+/=.\-]{{20,}})", LIKELY, assigned, group=1, apart=False),
    Rule("secret", rf"(?i){_PASSWORDS}{_JOIN}([^\s\"'`,;<>]{{6,}})", LIKELY, password, group=1, apart=False),
    Rule("secret", r"(?i)password[\"']?\s{1,4}value\s{0,3}=\s{0,3}[\"']([^\"'<>]{6,})[\"']", LIKELY, password, group=1, apart=False),
    Rule("secret", r"[A-Za-z0-9_\-]{40,}", WEAK, mixed, r"secret|token|\bkey\b|credential", WEAK),
)  # fmt: skip
"""In the order in which they are tried."""
