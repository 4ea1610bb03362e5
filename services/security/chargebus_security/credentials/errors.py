"""What is refused about credentials; each text is for the caller."""


class CredentialsError(Exception):
    """What is asked for is refused."""


class UnknownCampaignError(CredentialsError):
    """There is no such campaign."""

    def __init__(self, campaign_id: object) -> None:
        super().__init__(f"There is no campaign {campaign_id}.")


class NobodyMeantError(CredentialsError):
    """No station is meant."""

    def __init__(self) -> None:
        super().__init__("there is no such station")


class NoKeyError(CredentialsError):
    """There is no key with which a new password could be sealed until its station has it."""

    def __init__(self) -> None:
        super().__init__("New passwords are sealed until their stations have them: set SEALING_KEYS for all services.")


class KeyUsedError(CredentialsError):
    """The idempotency key was used for something else."""

    def __init__(self) -> None:
        super().__init__("Something else was asked under this Idempotency-Key. Take another one.")
