"""Reservations: an EVSE kept for a token or its group, until it is used, given up or over.

Spec: OCPP 1.6 5.1, 5.13; OCPP 2.0.1 H Reservation
"""
