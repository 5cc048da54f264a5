"""Sensors for Security Center."""
