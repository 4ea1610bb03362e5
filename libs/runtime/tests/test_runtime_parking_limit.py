"""How much may be parked before it is our fault rather than that of the records."""

from chargebus_events.record import Received
from chargebus_runtime.parking_limit import IN_A_ROW, RECENT, ParkingLimit


def record(offset: int, partition: int = 0) -> Received:
    return Received("t", partition, offset, "s", b"", {})


def test_so_many_in_a_row_are_parked_and_no_more_until_one_was_applied():
    limit = ParkingLimit()
    for offset in range(IN_A_ROW):
        assert limit.reached(record(offset)) is None
        limit.parked(record(offset))
    assert "none between them" in (limit.reached(record(IN_A_ROW)) or "")
    limit.applied()
    assert limit.reached(record(IN_A_ROW)) is None


def test_of_a_partition_no_more_than_half_is_parked_even_if_others_are_applied_between():
    limit = ParkingLimit()
    parked = 0
    for offset in range(0, 3 * RECENT, 3):  # two of three fail
        for bad in (offset, offset + 1):
            if limit.reached(record(bad)) is None:
                limit.parked(record(bad))
                parked += 1
        limit.applied()
        if parked == RECENT // 2:
            break
    assert "50 of the last 100" in (limit.reached(record(offset + 3)) or "")
    assert limit.reached(record(offset + 3, partition=1)) is None
    assert limit.reached(record(offset + 3 + RECENT)) is None


def test_a_bad_record_now_and_then_is_always_parked():
    limit = ParkingLimit()
    for offset in range(0, 100 * RECENT, 3):
        assert limit.reached(record(offset)) is None
        limit.parked(record(offset))
        limit.applied()


def test_records_that_come_again_as_a_database_was_set_back_count_once():
    limit = ParkingLimit()
    for _ in range(3):
        for offset in range(0, RECENT, 4):
            assert limit.reached(record(offset)) is None
            limit.parked(record(offset))
            limit.applied()
