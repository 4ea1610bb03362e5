"""Firmware that local controllers publish to the stations behind them."""
