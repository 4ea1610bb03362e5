"""Signing in the service's process: frames in, certificates out, by the built-in authority and by a real EST server."""

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import msgspec
import pytest
from chargebus_events.commands import CommandOutcome
from chargebus_events.frames import Frame
from chargebus_events.public import STATION_DESCRIBED, StationDescribed, event
from chargebus_events.topics import COMMANDS, DOWNLINK, frames_topic
from chargebus_ocppj.schemas import validate_call, validate_result
from chargebus_security.main import build
from chargebus_security.names import SERVICE
from chargebus_security.signing import tasks
from chargebus_testkit.est_server import Said, est_server
from chargebus_testkit.pki import Authority, csr, make_key, name
from chargebus_testkit.waiting import eventually
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

STATION = "ChargingStationCertificate"


class Bench:
    """A station in a running service: what it asks for, what it gets, what it says."""

    def __init__(self, bed, client, events, station_id: str, version: str) -> None:
        self.bed, self.client, self.events = bed, client, events
        self.station_id, self.version = station_id, version
        self.key = make_key()
        self._numbers = count(1)

    async def is_described(self, **more) -> None:
        """Tell what an operator says of it."""
        body = StationDescribed(self.station_id, datetime.now(UTC), **more)
        await self.bed.publish(event(STATION_DESCRIBED, f"{self.station_id}/{body.at}", "/device", body.at, body))

    async def is_there(self, serial_number: str = "SN-7") -> None:
        booted, connected = self.events
        await self.is_described(name="Quay 1")
        await self.bed.publish(
            connected(self.station_id, 7, self.version), booted(self.station_id, serial_number, self.version)
        )
        await eventually(
            lambda: self.client.get(f"/security/stations/{self.station_id}"),
            lambda answer: (
                answer.status_code == 200
                and answer.json()["online"]
                and answer.json()["booted_at"]
                and answer.json()["name"]
            ),
            what="the station is known",
        )

    def csr(self, subject=None, version: int = 0) -> str:
        return csr(self.key, subject or name(self.station_id, "Acme"), version=version)

    async def signs(self, text: str, **more) -> dict:
        """Send a SignCertificate; return the answer."""
        number = next(self._numbers)
        body = json.dumps({"csr": text} | more).encode()
        validate_call(self.version, "SignCertificate", body)
        frame = Frame(
            self.station_id, self.version, "SignCertificate", f"m{number}", 0, 7, number, body, datetime.now(UTC)
        )
        await self.bed.publish(frame.record(frames_topic(SERVICE)))
        answers = await eventually(self._answers, lambda found: len(found) >= number, what="it is answered")
        validate_result(self.version, "SignCertificate", json.dumps(answers[number - 1]).encode())
        return answers[number - 1]

    async def _answers(self) -> list[dict]:
        return [json.loads(record.value) for record in await self.bed.read(DOWNLINK, self.station_id)]

    async def asked(self, intent: str = "certificate") -> list[dict]:
        sent = [json.loads(record.value) for record in await self.bed.read(COMMANDS, self.station_id)]
        return [each for each in sent if each["intent"] == intent]

    async def is_asked(self, times: int = 1, intent: str = "certificate") -> dict:
        """Wait for a command; return the last in the station's words."""
        sent = await eventually(
            lambda: self.asked(intent), lambda found: len(found) >= times, what=f"it is asked {times} times: {intent}"
        )
        assert len(sent) == times
        form = next(form for form in sent[-1]["forms"] if self.version in form["versions"])
        validate_call(self.version, form["action"], json.dumps(form["payload"]).encode())
        return sent[-1] | form

    async def says(self, command: dict, payload: dict | None, outcome: str = "answered") -> None:
        now = datetime.now(UTC)
        told = CommandOutcome(
            command["command_id"],
            self.station_id,
            SERVICE,
            outcome,
            now,
            now,
            command["intent"],
            command["subject"],
            command["action"],
            self.version,
            None if payload is None else msgspec.Raw(json.dumps(payload).encode()),
        )
        await self.bed.publish(told.record())

    async def request(self, state: str, **expected) -> dict:
        """Wait for the newest request in a state."""

        async def newest() -> dict:
            answer = await self.client.get("/certificate-requests", params={"station_id": self.station_id})
            assert answer.status_code == 200, answer.text
            return (answer.json()["items"] or [{}])[0]

        return await eventually(
            newest,
            lambda found: found.get("state") == state and expected.items() <= found.items(),
            what=f"the request is {state}",
        )


@contextmanager
def environment(**settings):
    patch = pytest.MonkeyPatch()
    for setting, value in settings.items():
        patch.setenv(f"SECURITY_{setting}", str(value))
    try:
        yield
    finally:
        patch.undo()


@pytest.fixture
def bench(make_bed, booted, connected, station_id, tmp_path):
    """Return what runs the service with an authority, and a station of a version."""
    beds = []

    @asynccontextmanager
    async def run(version: str = "2.0.1", **settings):
        whole = {"STATION_AUTHORITY": "built-in", "CA_FOLDER": tmp_path / "ca", "SIGN_EVERY_S": 0.1} | settings
        with environment(**whole):
            beds[:] = beds or [make_bed(build)]
            async with beds[0].running(), beds[0].client("admin") as client:
                yield Bench(beds[0], client, (booted, connected), station_id, version)

    return run


def leaf(command: dict) -> x509.Certificate:
    return x509.load_pem_x509_certificates(command["payload"]["certificateChain"].encode())[0]


@pytest.mark.road
async def test_a_station_gets_one_certificate_for_one_request_until_it_is_revoked(bench):
    async with bench("2.0.1", PKI_URL="http://localhost/pki") as station:
        await station.is_there()
        wanted = station.csr(version=2)

        assert await station.signs(wanted, certificateType=STATION) == {"status": "Accepted"}
        sent = await station.is_asked()
        assert sent["action"] == "CertificateSigned"
        assert sent["payload"]["certificateType"] == STATION
        certificate = leaf(sent)
        assert certificate.public_key() == station.key.public_key()
        await station.says(sent, {"status": "Accepted"})
        installed = await station.request("installed", serial_number=f"{certificate.serial_number:x}")

        # The same once more is the same certificate.
        await station.signs(wanted, certificateType=STATION)
        again = await station.is_asked(2)
        assert again["payload"] == sent["payload"]
        await station.says(again, {"status": "Accepted"})
        await station.request("installed", request_id=installed["request_id"])

        path = f"/certificate-authorities/built-in/certificates/{installed['serial_number']}"
        assert (await station.client.get(path)).json()["chain"] == sent["payload"]["certificateChain"]
        own = (await station.client.get("/certificate-authorities/built-in")).json()["certificates"]
        issuer = x509.load_pem_x509_certificate(own[0]["pem"].encode())
        await ocsp_and_list_say(station, certificate, issuer, revoked=False)
        for _ in range(2):
            answer = await station.client.post(f"{path}/revoke", json={"reason": "key_compromise"})
            assert (answer.status_code, answer.json()["revocation_reason"]) == (200, "key_compromise")
        await ocsp_and_list_say(station, certificate, issuer, revoked=True)
        listed = (await station.client.get("/certificate-authorities/issued", params={"revoked": True})).json()["items"]
        assert [each["serial_number"] for each in listed] == [installed["serial_number"]]
        answer = await station.signs(wanted, certificateType=STATION)
        assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidCSR")
        assert own[-1]["is_root"]
        known = (await station.client.get("/certificates", params={"station_id": station.station_id})).json()["items"]
        assert [(each["source"], each["serial_number"]) for each in known] == [("issued", installed["serial_number"])]

        # What is removed has nothing that counts, and gets nothing.
        station.key = make_key()
        await station.signs(station.csr(), certificateType=STATION)
        await station.says(await station.is_asked(3), {"status": "Accepted"})
        await station.request("installed")
        await station.is_described(removed=True)

        async def in_force():
            params = {"revoked": False, "station_id": station.station_id}
            return (await station.client.get("/certificate-authorities/issued", params=params)).json()["items"]

        await eventually(in_force, lambda found: not found, what="its certificates are revoked")
        station.key = make_key()
        answer = await station.signs(station.csr(), certificateType=STATION)
        assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "NotRegistered")


async def ocsp_and_list_say(station, certificate, issuer, *, revoked):
    """Ask without a key where certificates say."""
    asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
    der = asked.public_bytes(serialization.Encoding.DER)
    base = station.bed.url.removesuffix("/v1")
    async with httpx.AsyncClient(base_url=f"{base}/pki") as anybody:
        answer = ocsp.load_der_ocsp_response((await anybody.post("/ocsp", content=der)).content)
        assert answer.certificate_status.name == ("REVOKED" if revoked else "GOOD")

        async def listed():
            crl = x509.load_der_x509_crl((await anybody.get("/issuing.crl")).content)
            assert crl.is_signature_valid(issuer.public_key())
            return crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None

        await eventually(listed, lambda found: found == revoked, what="the list says so")
        nonsense = await anybody.post("/ocsp", content=b"nonsense")
        assert ocsp.load_der_ocsp_response(nonsense.content).response_status.name == "MALFORMED_REQUEST"
        assert (await anybody.get("/ocsp/nonsense")).status_code == 200
        assert (await anybody.post("/ocsp", content=bytes(5000))).status_code == 413
        assert (await anybody.get("/root.cer")).status_code == 200


async def test_refusals_are_answered_and_shown_on_either_side(bench):
    async with bench("1.6", CHAIN_LIMIT=1100) as station:
        await station.is_there("SN-8")

        assert await station.signs("no csr") == {"status": "Rejected"}
        await station.request("refused", reason="it is not PEM")
        assert await station.signs(station.csr(name("somebody else"))) == {"status": "Rejected"}
        assert await station.signs(station.csr(name("SN-8"))) == {"status": "Rejected"}
        await station.request("refused", reason="its common name 'SN-8' is not the station's")
        assert await station.signs(station.csr()) == {"status": "Accepted"}
        sent = await station.is_asked()
        await station.says(sent, {"status": "Rejected"})
        await station.request("declined", reason="Rejected")

        # What comes later takes the place of what is not done yet.
        station.key = make_key()
        await station.signs(station.csr())
        second = await station.is_asked(2)
        station.key = make_key()
        await station.signs(station.csr())
        third = await station.is_asked(3)
        replaced = "SELECT count(*) FROM certificate WHERE replaced_at IS NOT NULL"
        assert (await station.bed.rows(replaced))[0][0] == 0
        await station.says(second, {"status": "Rejected"})
        await station.says(third, {"status": "Accepted"})
        installed = await station.request("installed")
        assert (await station.bed.rows(replaced))[0][0] == 2
        items = (await station.client.get("/certificate-requests", params={"station_id": station.station_id})).json()
        assert [each["state"] for each in items["items"]] == [
            "installed",
            "superseded",
            "declined",
            "refused",
            "refused",
            "refused",
        ]
        assert installed["certificate_type"] == STATION

        # What is signed and cannot be sent is on record, and counts no more.
        station.key = make_key("RSA-3072")
        await station.signs(station.csr())
        assert "too many to be sent" in (await station.request("refused"))["reason"]
        kept = "SELECT count(*) FROM issued_certificate WHERE station_id = $1 AND revoked_at IS NOT NULL"
        assert (await station.bed.rows(kept, station.station_id))[0][0] == 1


async def test_what_has_ended_long_ago_is_dropped_and_a_station_has_no_more_certificates_than_it_may(
    bench, monkeypatch
):
    monkeypatch.setattr(tasks, "_PRUNE_EVERY_S", 0.2)
    async with bench("2.0.1", CERTIFICATES_PER_STATION=1) as station:
        await station.is_there()
        await station.signs(station.csr(), certificateType=STATION)
        await station.says(await station.is_asked(), {"status": "Accepted"})
        await station.request("installed")
        station.key = make_key()
        answer = await station.signs(station.csr(), certificateType=STATION)
        assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "TooManyRequests")

        tables = ("certificate", "issued_certificate", "signing_request")
        own, ended = station.station_id, datetime.now(UTC) - timedelta(days=800)
        for table in tables:
            await station.bed.rows(f"UPDATE {table} SET not_after = $2 WHERE station_id = $1", own, ended)
        await station.bed.rows("UPDATE signing_request SET created_at = $2 WHERE station_id = $1", own, ended)

        async def left():
            counted = [f"SELECT count(*) FROM {table} WHERE station_id = $1" for table in tables]
            return [(await station.bed.rows(each, own))[0][0] for each in counted]

        await eventually(left, lambda found: found == [0, 0, 0], what="what has ended is dropped")


async def test_a_station_that_is_away_gets_its_certificate_when_it_comes_and_is_asked_to_renew_it_in_time(bench):
    async with bench("2.1", CERTIFICATE_DAYS=60, RENEW_BEFORE_DAYS=30) as station:
        await station.is_there()
        await station.signs(station.csr(), certificateType=STATION, requestId=42)
        sent = await station.is_asked()
        assert sent["payload"]["requestId"] == 42
        await station.says(sent, None, "undeliverable")
        await station.request("signed", tries=1)
        _, connected = station.events
        await station.bed.publish(connected(station.station_id, 8, "2.1"))
        await station.says(await station.is_asked(2), {"status": "Accepted"})
        installed = await station.request("installed")
        left = datetime.fromisoformat(installed["not_after"]) - datetime.fromisoformat(installed["renew_at"])
        assert timedelta(days=19) < left < timedelta(days=31)

        await station.bed.rows("UPDATE signing_request SET renew_at = $1", datetime.now(UTC))
        trigger = await station.is_asked(1, "certificate-request")
        assert (trigger["action"], trigger["payload"]) == (
            "TriggerMessage",
            {"requestedMessage": "SignChargingStationCertificate"},
        )
        body = {"station_id": station.station_id, "certificate_type": "V2G20Certificate"}
        answer = await station.client.post("/certificate-requests", json=body)
        assert answer.status_code == 202
        trigger = await station.is_asked(2, "certificate-request")
        assert trigger["payload"] == {"requestedMessage": "SignV2G20Certificate"}
        assert (await station.client.post("/certificate-requests", json={"station_id": "nobody"})).status_code == 404


@pytest.mark.parametrize("whole", [True, False], ids=["with intermediates", "cacerts"])
async def test_an_est_server_signs_when_it_will(bench, tmp_path, caplog, whole):
    root, clients = Authority.root("CPO root"), Authority.root("whom the EST server knows")
    certificate, key = clients.leaf("the CSMS").write(tmp_path, "csms")
    with est_server(root.sub("CPO sub"), tmp_path, clients) as est:
        est.whole, est.login = whole, "csms:secret"
        est.answers = [Said(503, text="not now"), Said(202, "1")]
        settings = {
            "STATION_AUTHORITY": "est",
            "EST_URL": est.url,
            "EST_CA": est.ca_file,
            "EST_CERTIFICATE": certificate,
            "EST_KEY": key,
            "EST_USERNAME": "csms",
            "EST_PASSWORD": "secret",
        }
        async with bench("2.0.1", **settings) as station:
            await station.is_there()
            await station.signs(station.csr(), certificateType=STATION)
            waiting = await station.request("waiting", tries=1)
            assert waiting["reason"] == "HTTP 503: not now"
            await station.bed.rows("UPDATE signing_request SET due_at = $1", datetime.now(UTC))
            sent = await station.is_asked()
            chain = x509.load_pem_x509_certificates(sent["payload"]["certificateChain"].encode())
            await station.says(sent, {"status": "Accepted"})
            installed = await station.request("installed", authority="est")

            path = f"/certificate-authorities/est/certificates/{installed['serial_number']}/revoke"
            assert (await station.client.post(path, json={})).status_code == 409
            own = (await station.client.get("/certificate-authorities/est")).json()["certificates"]

            station.key = make_key()
            est.answers = [Said(400, text="the policy forbids it")]
            await station.signs(station.csr(), certificateType=STATION)
            await station.request("refused", reason="HTTP 400: the policy forbids it")

            # What comes after the station has asked for another goes to nobody, and is on record.
            est.delay_s = 2.0
            for number in (5, 6):
                station.key = make_key()
                await station.signs(station.csr(), certificateType=STATION)
                await eventually(
                    lambda number=number: asyncio.sleep(0, len(est.enrolled)), lambda n, number=number: n == number
                )
            await station.is_asked(2)

            async def issued():
                params = {"station_id": station.station_id}
                return (await station.client.get("/certificate-authorities/issued", params=params)).json()["items"]

            await eventually(issued, lambda found: len(found) == 3, what="all are on record")

            # EST revokes nothing: of who is removed an operator is told what is valid still.
            await station.is_described(removed=True)
            told = f"registered no more, its certificate {installed['serial_number']} of 'est' is valid"
            await eventually(lambda: asyncio.sleep(0, caplog.text), lambda text: told in text, what="it is told")

    assert [each.subject for each in chain] == [leaf(sent).subject, est.authority.certificate.subject]
    assert [each["is_root"] for each in own] == [False, True]
    assert len(est.enrolled) == 6


async def test_what_was_taken_is_signed_once_by_whoever_goes_on_after_a_crash(bench, tmp_path):
    """The first process is gone while the authority works: it is asked again when its claim is over, and signs once."""
    with est_server(Authority.root("CPO root"), tmp_path) as est:
        est.delay_s = 3600.0
        settings = {"STATION_AUTHORITY": "est", "EST_URL": est.url, "EST_CA": est.ca_file, "EST_TIMEOUT_S": 300}
        async with bench("2.0.1", **settings) as station:
            await station.is_there()
            await station.signs(station.csr(), certificateType=STATION)
            await eventually(lambda: asyncio.sleep(0, len(est.enrolled)), lambda n: n == 1, what="it is asked")
        est.delay_s = 0.0
        async with bench("2.0.1", **settings) as station:
            held = await station.request("waiting")
            assert datetime.fromisoformat(held["due_at"]) > datetime.now(UTC)
            await station.bed.rows("UPDATE signing_request SET due_at = $1, claimed_until = $1", datetime.now(UTC))
            sent = await station.is_asked()
            await station.says(sent, {"status": "Accepted"})
            await station.request("installed")
            issued = (await station.client.get("/certificate-authorities/issued")).json()["items"]

    assert len(est.enrolled) == 2
    assert [each["serial_number"] for each in issued] == [f"{leaf(sent).serial_number:x}"]
