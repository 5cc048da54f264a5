"""The web application: the service at ``/``, its control under ``/_emulator/`` for callers on this machine."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from airflow_provider_aegis.client.protocol.endpoints import is_loopback
from airflow_provider_aegis.emulator.account import Account
from airflow_provider_aegis.emulator.control import PREFIX, READS, WRITES, run_verb
from airflow_provider_aegis.emulator.http import HttpResponse, Request

# What a control request may be long, of which the service's own requests may be far longer.
CONTROL_HEADERS = 16 * 1024
CONTROL_BODY = 64 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door(Protocol):
    """What new connections come through."""

    async def refuse(self, seconds: float | None, *, spare: web.RequestHandler | None = None) -> None:
        """Refuse connections.

        :param seconds: for how long, ``None`` until told otherwise.
        :param spare: the one open connection that is not closed.
        """


def build_app(account: Account, door: Door) -> web.Application:
    """Put the application together.

    :param account: what answers.
    :param door: what control may close for a while.
    """
    app = web.Application()
    app.router.add_get(f"{PREFIX}{{verb}}", _reading(account))
    app.router.add_post(f"{PREFIX}{{verb}}", _changing(account, door))
    app.router.add_route("*", "/{path:.*}", _service(account))
    return app


def _service(account: Account) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        asked = await _read(request)
        line, fault = account.arrive(asked)
        if account.latency:
            await asyncio.sleep(account.latency)
        if fault.delay and not fault.after:
            await asyncio.sleep(fault.delay)
        reply = account.answer(asked, line, fault)
        if fault.delay and fault.after:
            await asyncio.sleep(fault.delay)
        return await _send(request, reply)

    return serve


def _reading(account: Account) -> Handler:
    async def read(request: web.Request) -> web.StreamResponse:
        verb = _verb(request)
        if verb not in READS:
            raise web.HTTPNotFound(text=f"there is nothing to read by the name of {verb!r}")
        return web.json_response(run_verb(account, verb, {}))

    return read


def _changing(account: Account, door: Door) -> Handler:
    async def change(request: web.Request) -> web.StreamResponse:
        verb = _verb(request)
        # A web page in somebody's browser cannot send this type without asking first.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="the body has to be application/json")
        try:
            limited = request.clone(client_max_size=CONTROL_BODY)
            arguments = await limited.json() if request.can_read_body else {}
            if not isinstance(arguments, dict):
                raise ValueError("the body is not a JSON object")
            if verb == "refuse_connections":
                return await _refuse_connections(request, door, **arguments)
            if verb not in WRITES:
                raise web.HTTPNotFound(text=f"there is nothing to do by the name of {verb!r}")
            return web.json_response(run_verb(account, verb, arguments))
        except (ValueError, TypeError, RecursionError) as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from error

    return change


async def _refuse_connections(request: web.Request, door: Door, *, seconds: float | None = None) -> web.Response:
    if seconds is None:
        raise ValueError("seconds is missing: while connections are refused, nobody could ask for an end of it")
    await door.refuse(seconds, spare=request.protocol)
    response = web.json_response(None)
    response.force_close()
    return response


def _verb(request: web.Request) -> str:
    """Return what a control request wants, if it may want anything."""
    if not is_loopback(request.remote or ""):
        raise web.HTTPForbidden(text="the emulator is controlled from its own machine alone")
    # A page that DNS rebinding brings here names its own host; one of another local server says where it comes from.
    host = request.headers.get("Host", "")
    if not is_loopback(_name_of(host)):
        raise web.HTTPForbidden(text="Host has to be a name or address of loopback, as 127.0.0.1")
    if request.headers.get("Origin", own := f"{request.scheme}://{host}") != own:
        raise web.HTTPForbidden(text="Origin has to be the emulator itself, or missing")
    if len(request.raw_path) + sum(len(name) + len(value) for name, value in request.raw_headers) > CONTROL_HEADERS:
        raise web.HTTPRequestHeaderFieldsTooLarge(text=f"more than {CONTROL_HEADERS} bytes of address and headers")
    return request.match_info["verb"]


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _read(request: web.Request) -> Request:
    path, _, query = _text(request.raw_path).partition("?")
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(_text(value).strip())
    return Request(
        method=request.method,
        path=path,
        query=query,
        headers={name: ",".join(sorted(values)) for name, values in headers.items()},
        body=await request.read(),
    )


def _text(text: str) -> str:
    """Bytes that are no UTF-8 arrive as lone surrogates, which could not be encoded again."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _send(request: web.Request, reply: HttpResponse) -> web.StreamResponse:
    if reply.hangup == "reset":
        _reset(request.transport)
        return web.Response()
    if reply.hangup == "halfway":
        headers = {**reply.headers, "Content-Length": str(len(reply.body))}
        response = web.StreamResponse(status=reply.status, headers=headers)
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
        if request.transport:
            request.transport.close()
        return response
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body)


def _reset(transport: asyncio.Transport | None) -> None:
    if transport is None:
        return
    # Closing with nothing allowed to linger makes the kernel send a reset in place of an orderly end.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
