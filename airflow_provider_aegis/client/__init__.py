"""Security Center (Sas 2018-12-03) without Airflow: nothing below this package imports it."""
