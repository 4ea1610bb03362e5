"""Logs and diagnostics that stations are asked for, and the files that they upload.

Spec: OCPP 1.6 6.23, 4.4; OCPP 1.6 security white paper N01; OCPP 2.0.1 N01
"""
