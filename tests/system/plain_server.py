# SPDX-License-Identifier: MIT
"""A foreign server of a herd, as courses have them written: asyncio, a connection for each message, and the
names of the servers that a message went through behind it. It is a neighbour that knows nothing of links,
introductions or repeats.

    server = PlainServer("Juzang", port, {"Bernard": port, ...}, style="readline")
    server.start(); server.known(b"kiwi"); server.stop()

Styles: "readline" reads one line and hangs up; "eof" reads to the end of input; "forget" reads one line
and never hangs up; "answer" answers every message with "? " and a copy; "bare" ends no message with LF.
"""
import asyncio
import threading
import time


class PlainServer:
    def __init__(self, name, port, neighbours, style="readline"):
        self.name, self.port, self.neighbours, self.style = name, port, neighbours, style
        self.clients = {}    # id -> the fields of its AT line
        self.messages = []   # every line received, in order
        self.open = []       # writers that were forgotten
        self.loop = self.thread = None

    def start(self):
        ready = threading.Event()

        def run():
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
            self.server = self.loop.run_until_complete(
                asyncio.start_server(self.handle, "127.0.0.1", self.port, backlog=512))
            ready.set()
            self.loop.run_forever()
            self.server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            for writer in self.open:
                writer.transport.abort()
            self.loop.run_until_complete(asyncio.sleep(0.05))
            self.loop.close()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        ready.wait(10)
        return self

    def stop(self):
        """Stops, and forgets everything."""
        if self.thread:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)
        self.thread = None
        self.clients = {}

    def known(self, client_id):
        fields = self.clients.get(client_id)
        return b" ".join(fields) + b"\n" if fields else None

    async def handle(self, reader, writer):
        if self.style == "eof":
            data = await reader.read()
            lines = data.split(b"\n")
        else:
            lines = [await reader.readline()]
        for line in lines:
            if line.strip():
                self.messages.append(line)
                reply = self.take(line.split())
                if reply:
                    writer.write(reply)
                elif self.style == "answer":
                    writer.write(b"? " + line)
        if self.style == "forget":
            self.open.append(writer)
            return
        try:
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    def take(self, fields):
        if len(fields) == 4 and fields[0] == b"IAMAT":
            diff = time.time() - float(fields[3])
            at = [b"AT", self.name.encode(), b"%+.9f" % diff] + fields[1:]
            self.learn(at, [])
            return b" ".join(at) + b"\n"
        if len(fields) >= 6 and fields[0] == b"AT":
            self.learn(fields[:6], fields[6:])
            return None
        if len(fields) == 4 and fields[0] == b"WHATSAT":
            return self.known(fields[1]) or b"? " + b" ".join(fields) + b"\n"
        return b"? " + b" ".join(fields) + b"\n"

    def learn(self, at, hops):
        known = self.clients.get(at[3])
        if known and float(known[5]) >= float(at[5]):
            return
        self.clients[at[3]] = at
        line = b" ".join(at + hops + [self.name.encode()])
        for name, port in self.neighbours.items():
            if name.encode() not in hops:
                self.loop.create_task(self.tell(port, line))

    async def tell(self, port, line):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(line if self.style == "bare" else line + b"\n")
            await writer.drain()
            if self.style == "forget":
                self.open.append(writer)
            else:
                writer.close()
        except OSError:
            pass
