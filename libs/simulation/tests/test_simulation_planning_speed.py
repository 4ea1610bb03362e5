"""The figures of planning, on small sites."""

import pytest
from chargebus_simulation.planning_speed import car_park, figures


@pytest.mark.long
def test_plans_are_measured_and_what_they_serve_is_told_beside_it():
    found = figures(vehicles=30, sites=2, evses=4)

    assert (found.vehicles, found.sites, found.evses) == (30, 2, 4)
    assert min(found.allocator_s, found.optimiser_s, found.sites_s) > 0
    assert 0 <= found.optimiser_unserved <= found.allocator_unserved < 1


def test_a_car_park_has_all_its_vehicles_under_its_panels():
    site = car_park(100, 5.0, 1)

    assert {site.nodes[demand.node].node_id.split()[0] for demand in site.demands} == {"panel"}
    assert len(site.demands) == 100
