"""How services reach addresses that others name: URLs taken apart, addresses checked, connections bounded."""
