"""A real Airflow on loopback: for the end-to-end tests, the demo and the UI."""
