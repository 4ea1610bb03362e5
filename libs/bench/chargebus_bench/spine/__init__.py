"""The bare spine: this architecture with nothing but the road of a frame, as a yardstick for the whole system.

    station -> edge -> Kafka -> session -> PostgreSQL -> Kafka -> edge -> station

What it keeps is what the architecture promises: a frame is acknowledged by Kafka with `acks=all` before its station
is answered; `session` takes what has gathered as one batch and writes its effects, its offsets and its answers (the
outbox) in one database transaction, with fsync on, and publishes the answers after it; so no frame is lost, and none
is handled twice.

What it leaves out is the product: it speaks OCPP 1.6 only, checks no schema and no credentials, keeps no registration
state and no telemetry, and has no metering and no public events. Where the whole system is slower, these are the price.
"""
