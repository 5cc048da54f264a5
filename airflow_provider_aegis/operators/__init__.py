"""Operators for Security Center."""
