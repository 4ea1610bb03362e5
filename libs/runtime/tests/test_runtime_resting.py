"""Which topics rest, for how long, and which partitions are read again."""

from aiokafka import TopicPartition
from chargebus_runtime.resting import Resting

CALM, CALM_TOO, BUSY = TopicPartition("calm", 0), TopicPartition("calm", 1), TopicPartition("busy", 0)


class Client:
    """Holds partitions, knows where they end, and which are not read."""

    def __init__(self, **ends: int) -> None:
        self._ends = ends
        self.not_read: set[TopicPartition] = set()

    def assignment(self) -> set[TopicPartition]:
        return {CALM, CALM_TOO, BUSY}

    def highwater(self, tp: TopicPartition) -> int | None:
        return self._ends.get(tp.topic)

    def pause(self, *partitions: TopicPartition) -> None:
        self.not_read.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.not_read.difference_update(partitions)

    def paused(self) -> set[TopicPartition]:
        return set(self.not_read)


def test_a_topic_rests_once_it_is_read_to_its_end_with_all_its_partitions():
    client, resting = Client(calm=7), Resting({"calm": 0.5})
    resting.begin(client, {CALM: 7, BUSY: 1}, 10.0)
    assert client.not_read == {CALM, CALM_TOO}
    assert resting.wait_s(10.25) == 0.25


def test_a_topic_of_which_more_is_known_to_wait_does_not_rest():
    client, resting = Client(calm=8), Resting({"calm": 0.5})
    resting.begin(client, {CALM: 7}, 10.0)
    assert client.not_read == set()
    assert resting.wait_s(10.0) is None
    assert not resting.unsure


def test_a_rest_that_is_over_ends_but_for_partitions_that_stopped():
    client, resting = Client(calm=7), Resting({"calm": 0.5})
    resting.begin(client, {CALM: 7}, 10.0)
    resting.end(client, set(), 10.25)
    assert client.not_read == {CALM, CALM_TOO}
    assert resting.holds("calm", 10.25)
    resting.end(client, {CALM_TOO}, 10.5)
    assert client.not_read == {CALM_TOO}
    assert not resting.holds("calm", 10.5)


def test_it_is_unsure_until_a_fetch_that_asks_for_the_topic_must_have_been_answered():
    client, resting = Client(calm=7), Resting({"calm": 0.5})
    resting.begin(client, {CALM: 7}, 10.0)
    resting.end(client, set(), 10.5)
    assert resting.unsure
    assert resting.wait_s(10.5) is None
    resting.end(client, set(), 11.5)
    assert not resting.unsure
