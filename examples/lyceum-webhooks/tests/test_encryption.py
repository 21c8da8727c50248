"""Events travel encrypted, to whom a certificate says it is and to nobody else."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from house import SETTINGS, House, ShopPlugin
from receiving import receiving, verified

from kernel.testing.deploying import Deploy


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, for which nobody vouches but itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = tmp_path / "receiver.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.mark.parametrize("trusted", [True, False])
async def test_receiver_gets_nothing_unless_its_certificate_is_trusted(
    deploy: Deploy, certificate: Path, *, trusted: bool
) -> None:
    """Trusted is what the machine trusts, and the authority that the configuration names."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with receiving(tls) as receiver:
        settings = {**SETTINGS, "ca_file": str(certificate)} if trusted else SETTINGS
        deployment = await deploy("webhooks", plugins=[ShopPlugin], settings={"webhooks": settings})
        house = House(deployment, deployment.client("admin"), receiver)
        endpoint, secret = await house.add(url=receiver.url.replace("http:", "https:"))

        await house.sell()
        found = await house.until(endpoint, "delivered" if trusted else "waiting")

    if trusted:
        assert verified(receiver.requests[0], secret)
    else:
        assert "CERTIFICATE_VERIFY_FAILED" in found["error"]
        assert receiver.requests == []
