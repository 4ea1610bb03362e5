"""What EVSEs are built for: their largest power, by what operators register and what stations report.

Spec: OCPP 2.0.1 B07, B08, Part 2 appendix 3 (EVSE, Connector)
"""
