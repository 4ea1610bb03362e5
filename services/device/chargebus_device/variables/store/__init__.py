"""Variables of stations and what is asked of them, in sets."""
