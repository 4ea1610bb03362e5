"""Every certificate that is known: whose it is, when it runs out, where it is installed."""
