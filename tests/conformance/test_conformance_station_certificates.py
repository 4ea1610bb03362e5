"""Stations' own certificates: 1.6 TC_074 and TC_077, 2.0.1 and 2.1 TC_A_11 to TC_A_14, with keys, CSRs and a CA."""

import pytest
import pytest_asyncio
from chargebus_testkit.pki import CLIENT, Authority
from chargebus_testkit.waiting import eventually
from cryptography import x509
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
STATION, V2G = "ChargingStationCertificate", "V2GCertificate"


class Certificates:
    """Asks stations to ask for certificates, and follows what becomes of it."""

    def __init__(self, api):
        self._api = api

    async def triggered(self, station, certificate_type):
        """Have a station ask for a certificate, once it is known; return the request when it is over."""
        station_id = station.config.station_id
        body = {"station_id": station_id, "certificate_type": certificate_type}

        async def asked():
            return (await self._api.request("POST", "/v1/certificate-requests", json=body)).status_code == 202

        await eventually(asked, what="the station is known, and asked")
        return await self.over(station, certificate_type)

    async def over(self, station, certificate_type):
        """Wait until the newest request of a station for such a certificate is over."""

        async def newest():
            found = await self._api.call("GET", "/v1/certificate-requests", station_id=station.config.station_id)
            return next((each for each in found["items"] if each["certificate_type"] == certificate_type), None)

        return await eventually(
            newest,
            lambda request: request is not None and request["state"] not in ("waiting", "signed", "sent"),
            what="what the station makes of its certificate",
        )

    async def root(self):
        """Return the root of the authority that signs."""
        own = await self._api.call("GET", "/v1/certificate-authorities/built-in")
        return x509.load_pem_x509_certificate(own["certificates"][-1]["pem"].encode())

    async def told(self, station, event):
        """Wait until the station's security event is known."""

        async def known():
            found = await self._api.call("GET", "/v1/security-events", station_id=station.config.station_id)
            return event in [each["type"] for each in found["items"]]

        await eventually(known, what=f"the security event {event}")


@pytest_asyncio.fixture(loop_scope="session")
async def certificates(api):
    return Certificates(api)


async def is_certified(station, certificates, certificate_type):
    """See a station get a certificate for its own key that leads to the root."""
    request = await certificates.triggered(station, certificate_type)
    assert request["state"] == "installed", request
    chain = station.state.own_certificates.chains[certificate_type or ""]
    assert f"{chain[0].serial_number:x}" == request["serial_number"]
    assert chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == station.config.station_id
    for below, above in zip(chain, [*chain[1:], await certificates.root()], strict=True):
        below.verify_directly_issued_by(above)


async def is_refused(station, certificates, ask, event, **more):
    """See a station refuse certificates that do not fit: of another key, and no certificate at all."""
    other = Authority.root("somebody else").leaf(station.config.station_id, usages=CLIENT)
    for chain in (other.chain(), "no certificate"):
        found = await ask(station, "CertificateSigned", {"certificateChain": chain, **more})
        assert found["reply"] == {"status": "Rejected"}, found
    await certificates.told(station, event)


@pytest.mark.case("TC_074")
async def test_TC_074_update_charge_point_certificate_by_request_of_central_system(virtual_station, certificates):
    async with virtual_station("1.6") as station:
        await is_certified(station, certificates, STATION)


@pytest.mark.case("TC_077")
async def test_TC_077_invalid_charge_point_certificate_security_event(virtual_station, certificates, ask):
    async with virtual_station("1.6") as station:
        await is_certified(station, certificates, STATION)
        before = station.state.own_certificates.chains[STATION]
        await is_refused(station, certificates, ask, "InvalidChargePointCertificate")
        assert station.state.own_certificates.chains[STATION] == before


@pytest.mark.case("TC_A_11", "TC_A_12", "TC_A_13")
@V2
async def test_TC_A_11_TC_A_12_TC_A_13_update_certificate_by_request_of_csms(virtual_station, certificates, version):
    async with virtual_station(version) as station:
        for certificate_type in (STATION, V2G, None):
            await is_certified(station, certificates, certificate_type)


@pytest.mark.case("TC_A_14")
@V2
async def test_TC_A_14_update_charging_station_certificate_invalid_certificate(
    virtual_station, certificates, ask, version
):
    async with virtual_station(version) as station:
        await is_refused(station, certificates, ask, "InvalidChargingStationCertificate", certificateType=STATION)
        assert station.state.own_certificates.chains == {}
        await is_certified(station, certificates, STATION)
