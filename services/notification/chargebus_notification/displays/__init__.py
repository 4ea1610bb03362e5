"""Messages on stations' displays: what is wanted, told to stations, compared with what they report, and repaired.

Spec: OCPP 2.0.1 and 2.1, functional block O
"""
