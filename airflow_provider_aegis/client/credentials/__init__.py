"""The sources of credentials: the connection itself, STS, instance metadata, a URI, or the default chain."""

from airflow_provider_aegis.client.credentials.base import CredentialsProvider as CredentialsProvider
from airflow_provider_aegis.client.credentials.base import StaticCredentials as StaticCredentials
