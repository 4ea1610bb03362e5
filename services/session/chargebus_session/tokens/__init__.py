"""Tokens: who presents what, whether it may charge, and how operators register them.

Spec: OCPP 1.6 4.1; OCPP 2.0.1 C Authorization
"""
