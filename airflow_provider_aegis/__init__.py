"""Apache Airflow provider for Alibaba Cloud Security Center."""

__version__ = "0.1.0"
