"""What HTTP, time and answers do with configurations, each in one transaction."""
