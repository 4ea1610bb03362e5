"""`chargebus run edge`: named services as one process, everything else given by the environment."""

import os

from chargebus_runtime.process import Build, PortTakenError, Process
from chargebus_runtime.service import Service
from pydantic import ValidationError

from chargebus_cli.environment import runtime_settings, wrong_setting
from chargebus_cli.errors import CommandError
from chargebus_cli.logs import log_to_terminal
from chargebus_cli.serve import serve
from chargebus_cli.services import builds
from chargebus_cli.stopping import Stopped, stop_on_signal


async def run(names: list[str]) -> None:
    """Run the services until a signal.

    Raises:
        CommandError: an unknown service, a wrong or missing setting, a service that will not run with the settings
            given, a port that is taken, or a part that died.
    """
    stop = stop_on_signal()
    wanted = [_explained(build) for build in builds(names)]
    settings = runtime_settings()
    if "KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
        message = (
            "a single service needs a Kafka: set KAFKA_BOOTSTRAP_SERVERS (and DATABASE_URL); "
            "`chargebus run` without a service brings its own"
        )
        raise CommandError(message)
    log_to_terminal(settings.log_level)
    try:
        await serve(Process(settings, "-".join(names)), wanted, stop)
    except Stopped:
        return
    except ValidationError as error:
        raise wrong_setting(error) from error
    except PortTakenError as error:
        raise CommandError(str(error)) from error


def _explained(build: Build) -> Build:
    """Return the build of a service so that what keeps it from being built, a ValueError, is one clear line."""

    def explained(process: Process) -> Service:
        try:
            return build(process)
        except ValidationError:
            raise  # names its setting by itself
        except ValueError as error:
            raise CommandError(str(error)) from error

    return explained
