"""What is refused about rules, alerts and silences."""


class AlertsError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownRuleError(AlertsError):
    """There is no such rule."""


class UnknownAlertError(AlertsError):
    """There is no such alert."""


class ResolvedAlertError(AlertsError):
    """The alert is over already."""


class UnknownSilenceError(AlertsError):
    """There is no such silence."""


class NeverOpenError(AlertsError):
    """A silence would never be in force."""
