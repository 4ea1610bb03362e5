"""What the station makes of everything the CSMS sends unasked: its calls are decided, answered, written down."""

from collections.abc import Callable

from chargebus_ocppj.errors import error_code
from chargebus_ocppj.frames import Call, CallError, CallResult
from chargebus_ocppj.schemas import encode_result

from chargebus_station.commands import CommandDecider
from chargebus_station.core import Core
from chargebus_station.csms_socket import Response
from chargebus_station.effects import Effect, Reply, TooMuchError, status
from chargebus_station.faults import Fault
from chargebus_station.history import CommandEntry, Payload
from chargebus_station.registration import Status
from chargebus_station.rpc import Malformed, Received, Requested, ResultRejected, StrayAnswer


class Answering:
    """Answers the CSMS; `run_effect` does what follows from an answer, `drop` tears the socket down."""

    def __init__(self, core: Core, run_effect: Callable[[Effect], None], drop: Callable[[], None]) -> None:
        self._core = core
        self._run_effect = run_effect
        self._drop = drop

    def respond(self, received: Received) -> Response:
        """Return what is to be written back, and what is to be done then."""
        match received:
            case Requested(call, payload):
                return self._command(call, payload)
            case Malformed(code, _, call, reply):
                if call is not None:
                    self._note(call, {}).refused = code
                return Response(reply)
            case ResultRejected(message_id, code):
                self._result_rejected(message_id, code)
            case StrayAnswer():
                self._core.history.strays += 1
        return Response()

    def _command(self, call: Call, payload: Payload) -> Response:
        core, entry = self._core, self._note(call, payload)
        if core.faults.take(Fault.DROP_ON_COMMAND, call.action):
            return Response(then=self._drop)
        # Spec: OCPP 1.6 4.2: while rejected, the charge point answers nothing; 2.x still listens to triggers.
        deaf = core.registration.status is Status.REJECTED and call.action not in core.dialect.heard_when_rejected
        if deaf or core.faults.take(Fault.IGNORE_COMMAND, call.action):
            return Response()
        if core.faults.take(Fault.REFUSE_COMMAND, call.action):
            entry.refused = error_code(core.config.version, "internal")
            return Response(CallError(call.message_id, entry.refused, "refused on request"), core.changed)
        if core.faults.take(Fault.FAIL_COMMAND, call.action):
            reply = status("Failed")
        else:
            try:
                reply = core.dialect.commands[call.action](self._decider(), dict(payload))
            except TooMuchError as error:
                entry.refused = error_code(core.config.version, "occurrence")
                return Response(CallError(call.message_id, entry.refused, str(error)), core.changed)
        entry.answered = reply.payload
        body = encode_result(core.config.version, call.action, reply.payload)
        if core.faults.take(Fault.INVALID_ANSWER, call.action):
            body = b'{"nonsense":true}'
        return Response(CallResult(call.message_id, body), self._follow(reply))

    def _decider(self) -> CommandDecider:
        core = self._core
        core.state.count_profiles()
        return CommandDecider(core.state, core.queue, core.registration.status, core.clock.now())

    def _note(self, call: Call, payload: Payload) -> CommandEntry:
        entry = CommandEntry(str(call.message_id), call.action, payload, self._core.clock.now())
        self._core.history.note(entry)
        return entry

    def _follow(self, reply: Reply) -> Callable[[], None]:
        def then() -> None:
            for effect in reply.effects:
                self._run_effect(effect)
            self._core.changed()

        return then

    def _result_rejected(self, message_id: str, code: str) -> None:
        for entry in self._core.history.commands:
            if entry.message_id == message_id:
                entry.result_error = code
