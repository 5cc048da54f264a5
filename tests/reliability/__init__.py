"""Tasks in a real Airflow on Postgres that random kills, users and faults of the service hit, and what must hold then.

`python -m tests.reliability --tasks 300` draws cases from a seed, runs them in rounds of several tasks at a time, and
judges each from what the emulator and Airflow say.
"""
