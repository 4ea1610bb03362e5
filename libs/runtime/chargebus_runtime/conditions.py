"""Owns the WHERE of a list: only what is asked for, so that each combination of filters gets a plan of its own."""


class Conditions:
    """The conditions of a query and their arguments."""

    def __init__(self) -> None:
        self.arguments: list[object] = []
        self._conditions: list[str] = []

    def add(self, condition: str, value: object) -> None:
        """Add a condition with `{}` for the value; None adds nothing."""
        if value is not None:
            self.arguments.append(value)
            self._conditions.append(condition.format(f"${len(self.arguments)}"))

    def add_fixed(self, condition: str | None) -> None:
        """Add a condition without a value; None adds nothing."""
        if condition is not None:
            self._conditions.append(condition)

    @property
    def sql(self) -> str:
        """The clause; empty without conditions."""
        return f"WHERE {' AND '.join(self._conditions)}" if self._conditions else ""
