"""A station that we did not write charges: the `ocpp` package's own ChargePoint, in 1.6 and in 2.0.1."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from chargebus_testkit.api import Api
from chargebus_testkit.handshakes import until_let_in
from chargebus_testkit.system import System
from chargebus_testkit.waiting import eventually
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHIN_S = 15


@asynccontextmanager
async def socket(system: System, station_id: str, password: str, subprotocol: str) -> AsyncIterator[ClientConnection]:
    secret = base64.b64encode(f"{station_id}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {secret}"}
    await until_let_in(system.ocpp_url, station_id, password)
    url = f"{system.ocpp_url}/{station_id}"
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                opened = await connect(url, subprotocols=[subprotocol], additional_headers=headers)
                break
            except InvalidStatus:  # the edge has not heard of the new station yet, and a station tries again
                await asyncio.sleep(0.05)
    async with opened:
        assert opened.subprotocol == subprotocol
        yield opened


@asynccontextmanager
async def listening(station: ChargePoint16 | ChargePoint201) -> AsyncIterator[None]:
    """Let a station answer the CSMS while the context lasts."""
    task = asyncio.create_task(station.start())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


async def the_session(api: Api, **query: object) -> dict[str, object]:
    """Return the one session there is."""
    (session,) = [session async for session in api.items("/v1/sessions", **query)]
    return session


async def meter_values(api: Api, session: dict[str, object], count: int) -> list[float]:
    """Return a session's readings in order of time once there are so many; they come a moment after the session."""

    async def look() -> list[float]:
        path = f"/v1/sessions/{session['session_id']}/meter-values"
        answer = await api.request("GET", path)
        return [value["value"] for value in answer.json().get("items", [])]

    return await eventually(look, lambda values: len(values) >= count, what=f"{count} readings")


class Station16(ChargePoint16):
    """A 1.6 station; what it is told to do is put into queues."""

    def __init__(self, name: str, connection: ClientConnection) -> None:
        super().__init__(name, connection, response_timeout=WITHIN_S)
        self.starts: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.stops: asyncio.Queue[int] = asyncio.Queue()

    @on("RemoteStartTransaction")
    def started(self, id_tag: str, connector_id: int = 0, **_more: object) -> result16.RemoteStartTransaction:
        self.starts.put_nowait((id_tag, connector_id))
        return result16.RemoteStartTransaction(status="Accepted")

    @on("RemoteStopTransaction")
    def stopped(self, transaction_id: int) -> result16.RemoteStopTransaction:
        self.stops.put_nowait(transaction_id)
        return result16.RemoteStopTransaction(status="Accepted")


async def test_a_1_6_charge_point_of_the_ocpp_package_charges(system, api):
    passwords = await api.register(["FOREIGN16"])
    await api.add_token("FOREIGNTAG16")
    async with socket(system, "FOREIGN16", passwords["FOREIGN16"], "ocpp1.6") as opened:
        station = Station16("FOREIGN16", opened)
        async with listening(station):
            booted = await station.call(call16.BootNotification(charge_point_model="M", charge_point_vendor="V"))
            await station.call(call16.StatusNotification(connector_id=1, error_code="NoError", status="Available"))
            authorized = await station.call(call16.Authorize(id_tag="FOREIGNTAG16"))
            started = await station.call(
                call16.StartTransaction(connector_id=1, id_tag="FOREIGNTAG16", meter_start=100, timestamp=now())
            )
            sampled = [{"value": "350", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
            await station.call(
                call16.MeterValues(
                    connector_id=1,
                    transaction_id=started.transaction_id,
                    meter_value=[{"timestamp": now(), "sampledValue": sampled}],
                )
            )
            await station.call(
                call16.StopTransaction(
                    transaction_id=started.transaction_id, meter_stop=600, timestamp=now(), reason="Local"
                )
            )

    session = await the_session(api, station_id="FOREIGN16")
    values = await meter_values(api, session, 3)
    shown = await api.call("GET", "/v1/stations/FOREIGN16")
    assert (booted.status, authorized.id_tag_info["status"]) == ("Accepted", "Accepted")
    assert (session["state"], session["energy_wh"], session["billable"]) == ("ended", 500, True)
    assert session["transaction_id"] == str(started.transaction_id)
    assert values == [100, 350, 600]
    assert (shown["registration"], shown["boot"]["vendor"]) == ("accepted", "V")


async def test_a_1_6_charge_point_of_the_ocpp_package_is_started_and_stopped_from_afar(system, api):
    passwords = await api.register(["REMOTE16"])
    await api.add_token("REMOTETAG16")
    async with socket(system, "REMOTE16", passwords["REMOTE16"], "ocpp1.6") as opened:
        station = Station16("REMOTE16", opened)
        async with listening(station):
            await station.call(call16.BootNotification(charge_point_model="M", charge_point_vendor="V"))
            body = {"id_token": "REMOTETAG16", "wait": True}
            start = await api.call("POST", "/v1/stations/REMOTE16/evses/1/start", body)
            asked = await asyncio.wait_for(station.starts.get(), WITHIN_S)
            started = await station.call(
                call16.StartTransaction(connector_id=1, id_tag=asked[0], meter_start=0, timestamp=now())
            )
            session = await the_session(api, station_id="REMOTE16", state="active")
            stop = await api.call("POST", f"/v1/sessions/{session['session_id']}/stop", {"wait": True})
            to_stop = await asyncio.wait_for(station.stops.get(), WITHIN_S)
            await station.call(
                call16.StopTransaction(transaction_id=to_stop, meter_stop=70, timestamp=now(), reason="Remote")
            )

    session = await the_session(api, remote_start_id=start["remote_start_id"])
    assert asked == ("REMOTETAG16", 1)
    assert (start["outcome"], start["status"]) == ("answered", "Accepted")
    assert (stop["outcome"], stop["status"]) == ("answered", "Accepted")
    assert to_stop == started.transaction_id
    assert (session["state"], session["energy_wh"], session["stop_reason"]) == ("ended", 70, "Remote")


class Station201(ChargePoint201):
    """A 2.0.1 station; what it is told to do is put into queues."""

    def __init__(self, name: str, connection: ClientConnection) -> None:
        super().__init__(name, connection, response_timeout=WITHIN_S)
        self.starts: asyncio.Queue[tuple[str, int, int]] = asyncio.Queue()
        self.stops: asyncio.Queue[str] = asyncio.Queue()

    @on("RequestStartTransaction")
    def started(
        self, id_token: dict[str, str], remote_start_id: int, evse_id: int = 0, **_more: object
    ) -> result201.RequestStartTransaction:
        self.starts.put_nowait((id_token["id_token"], remote_start_id, evse_id))
        return result201.RequestStartTransaction(status="Accepted")

    @on("RequestStopTransaction")
    def stopped(self, transaction_id: str) -> result201.RequestStopTransaction:
        self.stops.put_nowait(transaction_id)
        return result201.RequestStopTransaction(status="Accepted")

    async def boot(self) -> str:
        answer = await self.call(
            call201.BootNotification(charging_station={"model": "M", "vendor_name": "V"}, reason="PowerUp")
        )
        return str(answer.status)

    async def event(self, kind: str, seq_no: int, trigger: str, **more: object) -> dict[str, str]:
        """Send a TransactionEvent and return what was said of the token."""
        reading = {"value": 100.0 * seq_no, "measurand": "Energy.Active.Import.Register"}
        context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(kind, "Sample.Periodic")
        answer = await self.call(
            call201.TransactionEvent(
                event_type=kind,
                timestamp=now(),
                trigger_reason=trigger,
                seq_no=seq_no,
                meter_value=[{"timestamp": now(), "sampledValue": [{**reading, "context": context}]}],
                **more,
            )
        )
        return answer.id_token_info


async def test_a_2_0_1_charging_station_of_the_ocpp_package_charges(system, api):
    passwords = await api.register(["FOREIGN201"])
    await api.add_token("FOREIGNTAG201")
    token = {"id_token": "FOREIGNTAG201", "type": "ISO14443"}
    transaction = {"transaction_id": "foreign-1"}
    async with socket(system, "FOREIGN201", passwords["FOREIGN201"], "ocpp2.0.1") as opened:
        station = Station201("FOREIGN201", opened)
        async with listening(station):
            booted = await station.boot()
            await station.call(
                call201.StatusNotification(timestamp=now(), connector_status="Available", evse_id=1, connector_id=1)
            )
            authorized = await station.call(call201.Authorize(id_token=token))
            place = {"evse": {"id": 1, "connector_id": 1}, "id_token": token}
            told = await station.event("Started", 0, "Authorized", transaction_info=transaction, **place)
            await station.event("Updated", 1, "MeterValuePeriodic", transaction_info=transaction)
            ended = {**transaction, "stopped_reason": "Local"}
            await station.event("Ended", 2, "StopAuthorized", transaction_info=ended)

    session = await the_session(api, station_id="FOREIGN201")
    values = await meter_values(api, session, 3)
    assert (booted, authorized.id_token_info["status"]) == ("Accepted", "Accepted")
    assert told["status"] == "Accepted"
    assert (session["state"], session["energy_wh"], session["billable"]) == ("ended", 200, True)
    assert (session["transaction_id"], session["gaps"]) == ("foreign-1", [])
    assert values == [0, 100, 200]


async def test_a_2_0_1_charging_station_of_the_ocpp_package_is_started_and_stopped_from_afar(system, api):
    passwords = await api.register(["REMOTE201"])
    await api.add_token("REMOTETAG201")
    async with socket(system, "REMOTE201", passwords["REMOTE201"], "ocpp2.0.1") as opened:
        station = Station201("REMOTE201", opened)
        async with listening(station):
            await station.boot()
            body = {"id_token": "REMOTETAG201", "wait": True}
            start = await api.call("POST", "/v1/stations/REMOTE201/evses/1/start", body)
            token, remote_start_id, evse_id = await asyncio.wait_for(station.starts.get(), WITHIN_S)
            info = {"transaction_id": "remote-1", "remote_start_id": remote_start_id}
            place = {"evse": {"id": evse_id, "connector_id": 1}, "id_token": {"id_token": token, "type": "Central"}}
            await station.event("Started", 0, "RemoteStart", transaction_info=info, **place)
            session = await the_session(api, station_id="REMOTE201", state="active")
            stop = await api.call("POST", f"/v1/sessions/{session['session_id']}/stop", {"wait": True})
            to_stop = await asyncio.wait_for(station.stops.get(), WITHIN_S)
            ended = {"transaction_id": to_stop, "stopped_reason": "Remote"}
            await station.event("Ended", 1, "RemoteStop", transaction_info=ended)

    session = await the_session(api, remote_start_id=start["remote_start_id"])
    assert (token, evse_id) == ("REMOTETAG201", 1)
    assert (start["outcome"], start["status"]) == ("answered", "Accepted")
    assert (stop["outcome"], to_stop) == ("answered", "remote-1")
    assert (session["state"], session["energy_wh"], session["stop_reason"]) == ("ended", 100, "Remote")


async def test_a_station_of_the_ocpp_package_loses_its_old_socket_to_its_new_one(system, api):
    passwords = await api.register(["TWICE16"])
    async with socket(system, "TWICE16", passwords["TWICE16"], "ocpp1.6") as old:
        station = Station16("TWICE16", old)
        async with listening(station):
            await station.call(call16.BootNotification(charge_point_model="M", charge_point_vendor="V"))
        async with socket(system, "TWICE16", passwords["TWICE16"], "ocpp1.6") as new:
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(old.recv(), WITHIN_S)
            station = Station16("TWICE16", new)
            async with listening(station):
                beat = await station.call(call16.Heartbeat())

    assert beat.current_time
