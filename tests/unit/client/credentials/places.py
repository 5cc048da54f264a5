"""Answers of the services that hand out credentials, and a stage on which a source asks for them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from airflow_provider_aegis.client.credentials.base import Fetched, Source
from airflow_provider_aegis.client.flows.commands import Send
from airflow_provider_aegis.client.protocol.responses import Response
from airflow_provider_aegis.client.protocol.signing import Credentials
from tests.fakes import Scripted, Stage, answer, config

KEYS = Credentials("STS.id", "sts-secret", "sts-token")
EXPIRATION, EXPIRES = "2026-01-02T04:04:05Z", 1_767_326_645.0
PAYLOAD = {
    "AccessKeyId": KEYS.access_key_id,
    "AccessKeySecret": "sts-secret",
    "SecurityToken": "sts-token",
    "Expiration": EXPIRATION,
}
FETCHED = Fetched(KEYS, EXPIRES)
FROM_STS = answer({"RequestId": "R", "Credentials": PAYLOAD})
HANDED_OUT = answer({"Code": "Success", **PAYLOAD})
TOKEN = Response(200, {}, b"metadata-token")
ROLE_NAME = Response(200, {}, b"the-role\n")


def fetch(source: Source, *replies: Scripted) -> tuple[Fetched, Stage]:
    """Fetch on a stage, and return what came of it with the stage."""
    stage = Stage(config(), replies)
    fetched = stage.run_flow(source.fetch(stage.clock))
    assert not stage.replies
    return fetched, stage


def query_of(send: Send) -> dict[str, str]:
    """Return the parameters in a request's address."""
    return dict(parse_qsl(urlsplit(send.url).query, strict_parsing=True))
