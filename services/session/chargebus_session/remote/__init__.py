"""Remote starts and stops.

Spec: OCPP 1.6 5.11, 5.12; OCPP 2.0.1 F Remote control
"""
