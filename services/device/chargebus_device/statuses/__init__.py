"""The status of connectors, EVSEs and stations.

Spec: OCPP 1.6 4.9; OCPP 2.0.1 G01
"""
