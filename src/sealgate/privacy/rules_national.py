"""Numbers that states give to people and firms: form, check digits, and the words that come with them."""

from typing import Final

from . import national as n
from .rules import LIKELY, SURE, WEAK, Rule

_ID: Final = r"|\bid\b|identity|identif|national"

RULES: Final = (
    Rule("us_ssn", r"\d{3}-\d{2}-\d{4}", LIKELY, n.us_ssn, r"social|ssn|tax"),
    Rule(
        "us_ssn",
        r"\d{3} \d{2} \d{4}|\d{3}\.\d{2}\.\d{4}|\d{9}|\d{3}-\d{6}|\d{5}-\d{4}",
        WEAK,
        n.us_ssn,
        r"social|\bssn",
    ),
    Rule("us_itin", r"9\d{2}-\d{2}-\d{4}", LIKELY, n.us_itin),
    Rule("us_itin", r"9\d{2}-?\d{2}-?\d{4}|9\d{2} \d{2} \d{4}", WEAK, n.us_itin, r"\bitin\b|taxpayer|tax id"),
    Rule(
        "us_mbi",
        r"(?i)[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}",
    ),
    Rule("us_npi", r"\d{4}(?:[ \-]?)\d{3}[ \-]?\d{3}", WEAK, n.us_npi, r"\bnpi\b|provider", LIKELY),
    Rule("us_passport", r"[A-Z]\d{8}|\d{9}", WEAK, None, r"passport", LIKELY),
    Rule(
        "us_driver_license",
        r"[A-Z]\d{7,13}|[A-Z]{2}\d{6}|\d{7,9}",
        WEAK,
        None,
        r"driver'?s?.{0,3} licen[cs]e|\bdl\b",
        LIKELY,
    ),
    Rule("ca_sin", r"\d{3}-\d{3}-\d{3}|\d{3} \d{3} \d{3}", WEAK + 0.1, n.ca_sin, r"\bsin\b|social insurance"),
    Rule("ca_sin", r"\d{9}", WEAK, n.ca_sin, r"\bsin\b|social insurance"),
    Rule("uk_nhs", r"\d{3}(?:[ \-]?)\d{3}[ \-]?\d{4}", WEAK, n.uk_nhs, r"\bnhs\b|health service|patient"),
    Rule("uk_nino", r"(?i)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", LIKELY, n.uk_nino),
    Rule("uk_driving_licence", r"(?i)[A-Z]{2}[A-Z9]{3}\d[0156]\d[0-3]\d{2}[A-Z9]{2}[A-Z0-9]{3}", LIKELY),
    Rule("uk_passport", r"[A-Z]{2}\d{7}", WEAK, None, r"passport", LIKELY),
    Rule("au_abn", r"\d{2} \d{3} \d{3} \d{3}|\d{11}", WEAK, n.au_abn, r"\babn\b|business number"),
    Rule("au_acn", r"\d{3} \d{3} \d{3}|\d{9}", WEAK, n.au_acn, r"\bacn\b|company number"),
    Rule("au_tfn", r"\d{3} \d{3} \d{3}|\d{9}", WEAK, n.au_tfn, r"\btfn\b|tax file"),
    Rule("au_medicare", r"[2-6]\d{3} \d{5} \d|[2-6]\d{9}", WEAK, n.au_medicare, r"medicare"),
    Rule("de_tax_id", r"[1-9]\d{10}", WEAK, n.de_tax_id, r"steuer|idnr|tax|\btin\b"),
    Rule("de_vat", r"(?i)DE[ \-]?\d{3}[ \-]?\d{3}[ \-]?\d{3}", LIKELY, n.de_vat, r"ust|vat|mwst"),
    Rule("de_health", r"[A-Z]\d{9}", LIKELY, n.de_health, r"kranken|kvnr|versicher|health"),
    Rule("de_pension", r"(?i)\d{8}[A-Z]\d{3}", LIKELY, n.de_pension, r"rente|rvnr|sozial"),
    Rule("de_physician", r"\d{9}", WEAK, n.de_physician, r"\blanr\b|arzt", LIKELY),
    Rule(
        "de_passport",
        r"(?i)[CFGHJK][CFGHJKLMNPRTVWXYZ0-9]{7}\d",
        WEAK + 0.1,
        n.de_document,
        r"passport|reisepass|\bpass",
    ),
    Rule(
        "de_id_card", r"(?i)[LMNPRTVWXY][CFGHJKLMNPRTVWXYZ0-9]{8}\d?", WEAK, n.de_document, r"ausweis|id.?card|personal"
    ),
    Rule("es_nif", r"(?i)\d{7,8}-?[A-Z]", LIKELY - 0.1, n.es_nif, r"\bdni\b|\bnif\b"),
    Rule("es_nie", r"(?i)[XYZ]\d{7}-?[A-Z]", LIKELY, n.es_nie, r"\bnie\b"),
    Rule("es_passport", r"(?i)[A-Z]{3}\d{6}", WEAK, None, r"pasaporte|passport", LIKELY),
    Rule("fi_person", r"(?i)\d{6}[+\-YXWVUABCDEF]\d{3}[0-9A-Z]", LIKELY + 0.1, n.fi_person, r"hetu|henkil"),
    Rule("in_aadhaar", r"\d{4}[ \-:]\d{4}[ \-:]\d{4}|\d{12}", WEAK + 0.1, n.in_aadhaar, r"aadh?aar|uidai"),
    Rule("in_pan", r"(?i)[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", LIKELY, None, r"\bpan\b|permanent account"),
    Rule("in_pan", r"(?i)[A-Z]{5}\d{4}[A-Z]", WEAK, None, r"\bpan\b|permanent account", LIKELY),
    Rule("in_gstin", r"\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]", LIKELY, n.in_gstin, r"gst"),
    Rule("in_voter", r"(?i)[A-Z]{3}\d{7}", WEAK, None, r"voter|epic|election", LIKELY),
    Rule("in_passport", r"(?i)[A-Z][1-9]\d{5}[1-9]", WEAK, None, r"passport", LIKELY),
    Rule("it_fiscal", r"(?i)[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", LIKELY + 0.1, n.it_fiscal),
    Rule("it_vat", r"\d{11}", WEAK, n.it_vat, r"\biva\b|partita|\bvat\b", LIKELY),
    Rule("it_driver_license", r"(?i)U1[A-Z0-9]{7}[A-Z]", LIKELY - 0.1),
    Rule("kr_rrn", r"\d{6}-?[1-4]\d{6}", WEAK + 0.2, n.kr_resident, r"\brrn\b|resident|주민" + _ID),
    Rule("kr_frn", r"\d{6}-?[5-8]\d{6}", WEAK + 0.2, n.kr_foreigner, r"\bfrn\b|foreign|외국인" + _ID),
    Rule("kr_brn", r"\d{3}-\d{2}-\d{5}", LIKELY, n.kr_business),
    Rule("kr_brn", r"\d{10}", WEAK, n.kr_business, r"\bbrn\b|사업자|business"),
    Rule("kr_passport", r"(?i)[MSDROG]\d{3}[A-Z]\d{4}", WEAK + 0.1, None, r"passport|여권", LIKELY),
    Rule("kr_passport", r"(?i)[MSDROG]\d{8}", WEAK, None, r"passport|여권", LIKELY),
    Rule("kr_driver_license", r"\d{2}(?:[ \-]?)\d{2}[ \-]?\d{6}[ \-]?\d{2}", WEAK, None, r"licen[cs]e|면허", LIKELY),
    Rule("ng_nin", r"\d{11}", WEAK, n.ng_person, r"\bnin\b|nigeria"),
    Rule(
        "ph_tin", r"\d{3}(?:[ \-])\d{3}[ \-]\d{3}(?:[ \-]\d{3,5})?|\d{9}(?:\d{3})?", WEAK, n.ph_tax, r"\btin\b|taxpayer"
    ),
    Rule("pl_pesel", r"\d{11}", WEAK, n.pl_pesel, r"pesel"),
    Rule("se_person", r"(?:19|20)?\d{6}[\-+]?\d{4}", WEAK, n.se_person, r"personnummer|\bpnr\b|samordning"),
    Rule("se_organisation", r"\d{6}-?\d{4}", WEAK, n.se_organisation, r"org(?:anisations)?\.?n|company identity|orgn"),
    Rule("sg_nric", r"(?i)[STFGM]\d{7}[A-Z]", LIKELY, n.sg_person, r"nric|\bfin\b"),
    Rule(
        "sg_uen",
        r"(?i)\d{8}[A-Z]|(?:19|20)\d{2}\d{5}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z]",
        WEAK,
        None,
        r"\buen\b",
        LIKELY,
    ),
    Rule("th_person", r"[1-8]\d{12}|[1-8]-\d{4}-\d{5}-\d{2}-\d", WEAK, n.th_person, r"เลข|thai|บัตร"),
    Rule("tr_person", r"[1-9]\d{10}", WEAK, n.tr_person, r"\btc\b|t\.c\.|kimlik"),
    Rule("za_person", r"\d{6}(?:[ \-]?)\d{4}[ \-]?[012]\d\d", WEAK, n.za_person, r"\brsa\b|south africa|\bid\b", SURE),
)
"""In the order in which they are tried."""
