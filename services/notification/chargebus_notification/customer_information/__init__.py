"""What stations know of a customer: asked for, received in parts, kept for a short time; and cleared there.

Spec: OCPP 2.0.1 and 2.1 N09, N10
"""
