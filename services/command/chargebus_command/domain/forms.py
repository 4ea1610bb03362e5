"""Which form of a command a station gets: the first that is meant for its version and that the version takes."""

from collections.abc import Sequence

from chargebus_events.commands import CommandForm

from chargebus_command.domain.decision import Misfit


def choose(forms: Sequence[CommandForm], version: str, misfit: Misfit) -> CommandForm | str:
    """Return the form to send to a station that speaks `version`, or say why there is none."""
    meant = [form for form in forms if not form.versions or version in form.versions]
    wrong = []
    for form in meant:
        reason = misfit(form, version)
        if not reason:
            return form
        wrong.append(reason)
    return "; ".join(wrong) or _not_meant(forms, version)


def _not_meant(forms: Sequence[CommandForm], version: str) -> str:
    others = sorted({meant for form in forms for meant in form.versions})
    if not others:
        return "nothing was given to send"
    return f"it is meant for OCPP {' or '.join(others)}, the station speaks {version}"
