"""Golden vectors: made by the official Python SDK with clock and nonce frozen, or printed in the documentation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aegis.client.protocol import signing
from airflow_provider_aegis.client.protocol.signing import Credentials

VECTORS = json.loads(Path(__file__).with_name("signing_vectors.json").read_text())


@dataclass(frozen=True)
class Vector:
    name: str
    input: dict[str, Any]
    expected: dict[str, str]

    @property
    def credentials(self) -> Credentials:
        return Credentials(
            self.input["access_key_id"], self.input["access_key_secret"], self.input["security_token"] or None
        )

    @property
    def request(self) -> dict[str, Any]:
        """What signing takes, with the header set that the vector signed."""
        return {
            "method": self.input["method"],
            "path": self.input["path"],
            "query": signing.canonical_query(self.input["query"]),
            "headers": self.input["headers_signed"],
            "payload_hash": signing.sha256_hex(self.input["body"].encode()),
        }

    @property
    def is_minimal(self) -> bool:
        """Whether it signs exactly the headers that we sign, so that our whole request can be compared."""
        extra = {"user-agent", "accept", "x-acs-accesskey-id", "x-acs-credentials-provider"}
        return (
            extra.isdisjoint(self.input["headers_signed"]) and "x-acs-retry-delay" not in self.input["headers_signed"]
        )


V3 = [Vector(known["name"], known["input"], known["expected"]) for known in VECTORS["v3"]]
each_vector = pytest.mark.parametrize("vector", V3, ids=lambda vector: vector.name)
each_minimal_vector = pytest.mark.parametrize(
    "vector", [vector for vector in V3 if vector.is_minimal], ids=lambda vector: vector.name
)


def test_there_are_fourteen_vectors_and_nine_of_them_are_whole_requests_of_ours() -> None:
    assert (len(V3), sum(vector.is_minimal for vector in V3)) == (14, 9)


@each_vector
def test_payload_hash(vector: Vector) -> None:
    assert vector.request["payload_hash"] == vector.expected["hashed_payload"]


@each_vector
def test_flattening(vector: Vector) -> None:
    params = vector.input["params_before_flattening"]
    assert signing.flatten(vector.input["query"] if params is None else params) == vector.input["query"]


@each_vector
def test_canonical_query(vector: Vector) -> None:
    assert vector.request["query"] == vector.expected["canonical_query"]


@each_vector
def test_canonical_request(vector: Vector) -> None:
    request = signing.canonical_request(**vector.request)
    assert request == vector.expected["canonical_request"]
    assert f"\n{vector.expected['canonical_headers']}\n{vector.expected['signed_headers']}\n" in request


@each_vector
def test_string_to_sign(vector: Vector) -> None:
    request = signing.canonical_request(**vector.request)
    assert f"{signing.ALGORITHM}\n{signing.sha256_hex(request.encode())}" == vector.expected["string_to_sign"]


@each_vector
def test_signature_and_authorization(vector: Vector) -> None:
    value = signing.authorization(**vector.request, credentials=vector.credentials)
    assert value == vector.expected["authorization"]
    assert value.endswith(f",Signature={vector.expected['signature']}")


@each_minimal_vector
def test_a_whole_request_of_ours_has_the_headers_of_the_vector_and_no_other(vector: Vector) -> None:
    signed = vector.input["headers_signed"]
    headers = signing.signed_headers(
        method=vector.input["method"],
        host=signed["host"],
        path=vector.input["path"],
        query=vector.request["query"],
        action=signed["x-acs-action"],
        version=signed["x-acs-version"],
        date=signed["x-acs-date"],
        nonce=signed["x-acs-signature-nonce"],
        credentials=vector.credentials,
        body=vector.input["body"].encode(),
        content_type=signed.get("content-type"),
    )
    assert headers == signed | {"authorization": vector.expected["authorization"]}
