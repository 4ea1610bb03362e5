"""The demo's depot, as it is described."""

from chargebus_cli import depot


def test_its_vehicles_could_draw_more_than_its_grid_connection_gives():
    described = depot.site(depot.station_ids(depot.MOST))
    root = next(node for node in described["nodes"] if "parent_id" not in node)

    assert sum(evse["max_a"] for evse in described["evses"]) > 2 * root["capacity"]["phase_a"]


def test_every_outlet_of_its_stations_hangs_under_a_node_that_there_is():
    described = depot.site(depot.station_ids(depot.MOST))
    outlets = {(f"DEPOT-{n}", e) for n, kind in enumerate(depot.KINDS, 1) for e in range(1, len(kind.outlets) + 1)}

    assert {(evse["station_id"], evse["evse_id"]) for evse in described["evses"]} == outlets
    assert {evse["node_id"] for evse in described["evses"]} <= {node["node_id"] for node in described["nodes"]}


def test_a_smaller_depot_has_the_first_of_its_stations():
    assert depot.station_ids(2) == ["DEPOT-1", "DEPOT-2"]
    assert {evse["station_id"] for evse in depot.site(depot.station_ids(2))["evses"]} == {"DEPOT-1", "DEPOT-2"}
    assert depot.station_ids(99) == depot.station_ids(depot.MOST)
