"""Secrets that are obtained on the way, handed to Airflow's masker."""

from __future__ import annotations

import asyncio


def mask(secret: str) -> None:
    """Have a secret masked; not for an event loop, as it may ask the process that supervises this one."""
    from airflow_provider_aegis.compat import mask_secret

    mask_secret(secret)


async def amask(secret: str) -> None:
    """Have a secret masked, without holding up the event loop."""
    try:
        from airflow.sdk.log import amask_secret
    except ImportError:  # below Airflow 3.3
        await asyncio.to_thread(mask, secret)
    else:
        await amask_secret(secret)
