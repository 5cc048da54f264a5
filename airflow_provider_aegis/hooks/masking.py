"""Hands secrets that are obtained at run time to Airflow's masker."""

from __future__ import annotations

import asyncio


def mask(secret: str) -> None:
    """Mask a secret in logs; not on an event loop, because it may wait for the supervisor process."""
    from airflow_provider_aegis.compat import mask_secret

    mask_secret(secret)


async def amask(secret: str) -> None:
    """Mask a secret in logs without blocking the event loop."""
    try:
        from airflow.sdk.log import amask_secret
    except ImportError:  # below Airflow 3.3
        await asyncio.to_thread(mask, secret)
    else:
        await amask_secret(secret)
