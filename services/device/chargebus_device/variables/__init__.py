"""What stations are set to and can do: configuration keys of 1.6 and the device model of 2.x in one store.

Spec: OCPP 1.6 5.3, 5.8, 9; OCPP 2.0.1 and 2.1 B05 to B08, Part 2 appendix 3
"""
