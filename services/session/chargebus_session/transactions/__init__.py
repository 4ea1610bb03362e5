"""Transactions: what stations report of them, and the charging sessions that come of it.

Spec: OCPP 1.6 4.8, 4.10; OCPP 2.0.1 E Transactions
"""
