"""Loads the fixtures of chargebus_testkit for every test of the workspace."""

pytest_plugins = ["chargebus_testkit.plugin"]
