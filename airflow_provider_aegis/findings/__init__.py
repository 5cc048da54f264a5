"""What a scan found: written whole, compared, judged and shown. Pure: no Airflow, no requests to Security Center."""
