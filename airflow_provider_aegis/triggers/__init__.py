"""Triggers for Security Center."""
