"""A client of hotjit's socket: JSON-RPC 2.0 with LSP framing."""

import json
import socket
import threading


class Closed(Exception):
    """The other side ended the connection."""


class Client:
    """One connection. A thread of its own reads what arrives; notifications
    go to on_event(name, params), answers wait until they are asked for."""

    def __init__(self, path, on_event=None):
        self.on_event = on_event
        self.answers = {}
        self.arrived = threading.Condition()
        self.closed = False
        self.next_id = 1
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rb")
        threading.Thread(target=self._read, daemon=True).start()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, message):
        body = json.dumps(message).encode()
        self.send_raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def call(self, method, params, seconds):
        """Sends a request and returns the whole answer."""
        number, self.next_id = self.next_id, self.next_id + 1
        self.send({"jsonrpc": "2.0", "id": number, "method": method,
                   "params": params})
        return self.answer(number, seconds)

    def answer(self, number, seconds):
        with self.arrived:
            if not self.arrived.wait_for(
                    lambda: number in self.answers or self.closed, seconds):
                raise TimeoutError(f"no answer to request {number}")
            if number not in self.answers:
                raise Closed()
            return self.answers.pop(number)

    def wait_closed(self, seconds):
        with self.arrived:
            return self.arrived.wait_for(lambda: self.closed, seconds)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def _read(self):
        try:
            while True:
                self._dispatch(self._read_message())
        except (Closed, OSError, ValueError):
            pass
        with self.arrived:
            self.closed = True
            self.arrived.notify_all()
        if self.on_event:
            self.on_event("closed", {})

    def _read_message(self):
        length = None
        while True:
            line = self.stream.readline()
            if not line:
                raise Closed()
            line = line.strip()
            if not line:
                break
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None:
            raise Closed()
        body = self.stream.read(length)
        if len(body) != length:
            raise Closed()
        return json.loads(body)

    def _dispatch(self, message):
        if "method" in message:
            name = message["method"].removeprefix("hotjit/")
            if self.on_event:
                self.on_event(name, message.get("params", {}))
            return
        with self.arrived:
            # An answer to a request that could not be read has the id null.
            self.answers[message.get("id")] = message
            self.arrived.notify_all()
