"""What stations tell of their security, and what their monitors tell: kept, searched, published.

Spec: OCPP 1.6 security white paper 3.4; OCPP 2.0.1 A04, N07, N08; OCPP 2.1 N07, N08
"""
