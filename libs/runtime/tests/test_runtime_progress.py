"""When a consumer that gets nowhere says so."""

from chargebus_runtime.progress import Progress


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_consumer_that_applies_nothing_though_records_are_there_is_stalled():
    time = Time()
    progress = Progress(stalled_after_s=30, monotonic=time)
    time.now += 29
    assert progress.stalled(waiting=7) is None
    time.now += 1
    assert progress.stalled(waiting=7) == "it has applied nothing for 30 s, with 7 records to read"
    progress.made()
    assert progress.stalled(waiting=7) is None


def test_a_consumer_with_nothing_to_do_is_not_stalled():
    time = Time()
    progress = Progress(stalled_after_s=30, monotonic=time)
    time.now += 3600
    assert progress.stalled(waiting=0) is None


def test_why_the_last_try_failed_is_told():
    time = Time()
    progress = Progress(stalled_after_s=30, monotonic=time)
    delays = [progress.failed(ConnectionResetError("gone")) for _ in range(20)]
    assert delays[0] < 0.2
    assert delays[-1] > 2
    time.now += 31
    assert "the last of 20 tries: gone" in (progress.stalled(waiting=0) or "")
    progress.made()
    assert progress.failed(ConnectionResetError("gone")) < 0.2
