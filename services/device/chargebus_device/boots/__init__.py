"""Boots: what a station says of itself, whether it may work, and what it is told.

Spec: OCPP 1.6 4.2; OCPP 2.0.1 B01 to B03
"""
