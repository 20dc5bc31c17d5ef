#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A herd server in plain asyncio, for scale: what a good Python programmer writes in an afternoon.

    asyncio_herd.py [--per-message] -c CONFIG NAME

CONFIG is herd-server's JSON; only "servers" and "links" are read. Streams, one coroutine a connection,
readline, one write a reply. An update is flooded as `AT server diff id place time` over one connection to
each neighbour that is kept open and opened again when it breaks; with --per-message over a connection of
its own, which is what most servers written for the class protocol do. Nothing is logged.
"""
import argparse
import asyncio
import json
import re
import signal
import time

PLACE = re.compile(rb"([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)")
NUMBER = re.compile(rb"\d+(?:\.\d+)?")
NO_PLACES = b'{"html_attributions":[],"results":[],"status":"ZERO_RESULTS"}'


def time_key(text):
    """Orders times exactly, however many decimals they have."""
    whole, _, part = text.partition(b".")
    return int(whole), part.rstrip(b"0")


def is_place(text):
    match = PLACE.fullmatch(text)
    return match is not None and abs(float(match[1])) <= 90 and abs(float(match[2])) <= 180


class Neighbour:
    """The way out to one neighbour: a queue and a task that keeps a connection and writes to it."""

    def __init__(self, port, per_message):
        self.port, self.per_message = port, per_message
        self.queue = asyncio.Queue(maxsize=100_000)
        self.task = asyncio.create_task(self.run())

    def send(self, line):
        try:
            self.queue.put_nowait(line)
        except asyncio.QueueFull:
            pass  # a neighbour that is away for long misses updates, as with any server of this kind

    async def run(self):
        writer = None
        while True:
            line = await self.queue.get()
            try:
                if writer is None or writer.is_closing():
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(line)
                await writer.drain()
                if self.per_message:
                    writer.close()
                    await writer.wait_closed()
            except OSError:
                writer = None


class Server:
    def __init__(self, name, config, per_message):
        self.name = name.encode()
        self.port = config["servers"][name]["port"]
        self.clients = {}
        names = [b if a == name else a for a, b in config["links"] if name in (a, b)]
        self.neighbours = [Neighbour(config["servers"][n]["port"], per_message) for n in names]

    def accept(self, key, client, line):
        """Keeps and floods a record that is newer than what is known."""
        known = self.clients.get(client)
        if known is None or key > known[0]:
            place = line.split()[4]
            self.clients[client] = (key, place, line)
            for neighbour in self.neighbours:
                neighbour.send(line)

    def answer(self, line):
        fields = line.split()
        match fields:
            case []:
                return b""
            case [b"IAMAT", client, place, when] if is_place(place) and NUMBER.fullmatch(when):
                diff = b"%+.9f" % (time.time() - float(when))
                report = b"AT %b %b %b %b %b\n" % (self.name, diff, client, place, when)
                self.accept((time_key(when), self.name), client, report)
                return report
            case [b"AT", server, diff, client, place, when] if is_place(place) and NUMBER.fullmatch(when):
                self.accept((time_key(when), server), client, line)
                return b""
            case [b"WHATSAT", client, radius, bound] if (
                NUMBER.fullmatch(radius) and bound.isdigit() and client in self.clients
                and float(radius) <= 50 and int(bound) <= 20
            ):
                return self.clients[client][2] + NO_PLACES + b"\n\n"
        return b"? " + line

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                if not line.endswith(b"\n"):
                    line += b"\n"
                reply = self.answer(line)
                if reply:
                    writer.write(reply)
                    await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # gone, or a line without end, or the server stops
        finally:
            writer.close()


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("-c", "--config", required=True)
    options.add_argument("--per-message", action="store_true")
    options.add_argument("name")
    options = options.parse_args()
    with open(options.config, encoding="utf-8") as file:
        server = Server(options.name, json.load(file), options.per_message)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await asyncio.start_server(server.serve, "127.0.0.1", server.port, backlog=4096):
        await stop.wait()


asyncio.run(main())
