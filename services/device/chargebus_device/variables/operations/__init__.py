"""What HTTP, outcomes and time do with variables, each in one transaction."""
