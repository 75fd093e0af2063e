"""A certificate authority for one test, a server's certificate for 127.0.0.1 and a client's."""

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Certificates:
    """Files of one authority, one server, one client."""

    def __init__(self, folder):
        self._folder = folder
        self._authority_key = ec.generate_private_key(ec.SECP256R1())
        self._authority = self._make("authority", self._authority_key, None)
        self.authority, _ = self._write("authority", self._authority, self._authority_key)
        server_key, client_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.server, self.server_key = self._write("server", self._make("server", server_key, "server"), server_key)
        client = self._make("client", client_key, "client")
        self.client, self.client_key = self._write("client", client, client_key)
        self.client_der = client.public_bytes(serialization.Encoding.DER)

    def _make(self, name, key, use):
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._authority.subject if use else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=use is None, path_length=None), critical=True)
        )
        if use == "server":
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(self._authority_key, hashes.SHA256())

    def _write(self, name, certificate, key):
        path, key_path = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        key_path.chmod(0o600)
        return path, key_path
