"""A virtual charging station for OCPP 1.6J, 2.0.1 and 2.1.

`station.Station` is one station, switched on with a `config.StationConfig` and a `clock.ScaledClock`; a
`driver_visit.DriverVisit` is what a driver does there. `history.History` tells what it did and was answered,
`faults.Faults` takes what it is to do wrong. `fleet.run` lets many of them live a day at speed.

It obeys charging profiles: `profiles` is what they allow, `profile_rules` which of them it takes, and
`charging_habits.ChargingHabit` what it does its own way about them. What others limit (a local energy management
system) is an `external_limits.ExternalLimit`.
"""
