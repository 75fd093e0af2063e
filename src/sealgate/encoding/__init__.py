"""Every byte that is hashed or signed is made here, and nowhere else.

``canonical`` makes RFC 8785 JSON under the strict profile, ``cbor`` deterministic CBOR, ``statement`` the COSE_Sign1
hash envelope that is signed, ``sealed_body`` the encrypted private half, ``callback_signature`` what proves an answer
that comes from elsewhere. All decoders refuse what they would not have written themselves. Pure: keys, salts, nonces
and times are arguments.
"""
