"""Airflow connections made into clients."""
