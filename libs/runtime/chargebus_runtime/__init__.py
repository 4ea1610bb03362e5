"""How any Chargebus service runs: broker, batches, offsets, outbox, parking, database, HTTP, keys, telemetry."""
