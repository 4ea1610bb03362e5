"""Topics that are read only so often: nobody waits for what comes of their records, and many cost little more than one.

A topic rests after all that was known to be in it was taken; what comes meanwhile stays in Kafka, and holds up nothing.
"""

from collections.abc import Collection, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

_UNDER_WAY_S: Final = 0.6
"""How long a fetch may be under way that does not ask for a topic whose rest is over yet: what Kafka waits for data."""


class Resting:
    """Lets topics rest as long as `rest_s` says, by topic; those it does not name never do."""

    def __init__(self, rest_s: Mapping[str, float]) -> None:
        self._rest_s = rest_s
        self._until: dict[str, float] = {}

    def begin(self, client: AIOKafkaConsumer, taken: Mapping[TopicPartition, int], now: float) -> None:
        """Let topics rest of which a poll took something, up to these offsets, unless more is known to be there."""
        if not self._rest_s:
            return
        tired = {tp.topic for tp in taken if tp.topic in self._rest_s}
        tired -= {tp.topic for tp, end in taken.items() if (client.highwater(tp) or 0) > end}
        if tired:
            self._until.update({topic: now + self._rest_s[topic] for topic in tired})
            client.pause(*(tp for tp in client.assignment() if tp.topic in tired))

    def end(self, client: AIOKafkaConsumer, stopped: Collection[TopicPartition], now: float) -> None:
        """Have topics read again whose rest is over, but for partitions that are `stopped` for another reason."""
        over = {topic for topic, until in self._until.items() if until <= now}
        if over:
            client.resume(*(tp for tp in client.paused() if tp.topic in over and tp not in stopped))
            self._until = {topic: until for topic, until in self._until.items() if until + _UNDER_WAY_S > now}

    def holds(self, topic: str, now: float) -> bool:
        """Tell whether a topic rests."""
        return self._until.get(topic, 0.0) > now

    def wait_s(self, now: float) -> float | None:
        """Return how long it is until the first rest is over, None while none is."""
        return min((until - now for until in self._until.values() if until > now), default=None)

    @property
    def unsure(self) -> bool:
        """Whether there may be something in a topic that rests, or has rested just now."""
        return bool(self._until)
