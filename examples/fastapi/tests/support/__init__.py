"""Servers and visitors for the tests."""
