"""The OCPP-J wire: frames, schemas, versions, the action table."""
