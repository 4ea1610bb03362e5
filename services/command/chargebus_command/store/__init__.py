"""The database: stations and the ledger of commands, written and read in sets."""
