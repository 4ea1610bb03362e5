"""In what ways stations break the schemas, how often, and of which makes that is accepted as meant."""
