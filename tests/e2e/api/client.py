"""A client of a running exchange: signed HTTP, and a WebSocket, from the standard library."""
import base64
import hashlib
import http.client
import json
import os
import secrets
import socket
import struct
import subprocess
import time
import urllib.parse

from eip712 import Domain, Key, keccak

DEADLINE_S = 20


class Exchange:
    """`mizan exchange` as a child process, on a free port."""

    def __init__(self, program, state, operator, *more):
        self.process = subprocess.Popen(
            [program, "--json", "exchange", "--state-dir", state, "--operator", operator, "--listen",
             "127.0.0.1:0", *more], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the exchange ended with {self.process.wait()}")
        self.ready = json.loads(line)
        self.port = urllib.parse.urlsplit(self.ready["url"]).port

    def stop(self):
        self.process.terminate()
        return self.process.wait(DEADLINE_S)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.json = json.loads(body) if headers.get("Content-Type") == "application/json" else None


class Client:
    def __init__(self, port, domain=None, observe=lambda *_: None, source="127.0.0.1"):
        self.port, self.domain, self.observe = port, domain, observe
        self.source = (source, 0)  # any of 127.0.0.0/8

    def headers(self, key, method, target, body=b"", idempotency=""):
        if key is None:
            return {"Idempotency-Key": idempotency} if idempotency else {}
        request = {"account": key.address, "method": method, "target": target,
                   "bodyHash": "0x" + keccak(body).hex(), "idempotencyKey": idempotency,
                   "issuedAtMs": int(time.time() * 1000), "nonce": secrets.randbelow(2**64)}
        out = {"Mizan-Account": key.address, "Mizan-Issued-At-Ms": str(request["issuedAtMs"]),
               "Mizan-Nonce": str(request["nonce"]),
               "Mizan-Signature": self.domain.sign(key, "Request", request)}
        return out | ({"Idempotency-Key": idempotency} if idempotency else {})

    def call(self, method, target, body=None, key=None, idempotency="", more=None):
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = b"" if target.startswith("/v1/artifacts/") else raw
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S,
                                                source_address=self.source)
        connection.request(method, target, raw if method != "GET" else None,
                           self.headers(key, method, target, signed, idempotency) | (more or {}))
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        self.observe(method, target, answer)
        return answer

    def get(self, target, key=None, **more):
        return self.call("GET", target, None, key, **more)

    def post(self, target, body, **more):
        return self.call("POST", target, body, **more)


class WebSocket:
    """Text messages only; a refused upgrade is an Answer in `refused`."""

    def __init__(self, client, target, key=None):
        self.socket = socket.create_connection(("127.0.0.1", client.port), DEADLINE_S,
                                               client.source)
        self.buffer, self.refused = b"", None
        headers = {"Host": "x", "Upgrade": "websocket", "Connection": "Upgrade",
                   "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
                   **client.headers(key, "GET", target)}
        self.socket.sendall((f"GET {target} HTTP/1.1\r\n" +
                             "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        fields = dict(line.split(": ", 1) for line in lines[1:])
        if status == 101:
            accept = hashlib.sha1((headers["Sec-WebSocket-Key"] +
                                   "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
            assert fields["Sec-WebSocket-Accept"] == base64.b64encode(accept).decode()
            return
        body = self.take(int(fields["Content-Length"]))
        self.refused = Answer(status, fields, body)
        client.observe("GET", target, self.refused)

    def take(self, size):
        while len(self.buffer) < size:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the exchange closed the connection")
            self.buffer += more
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def frame(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        length = (bytes([0x80 | size]) if size < 126 else
                  b"\xfe" + struct.pack(">H", size) if size < 65536 else
                  b"\xff" + struct.pack(">Q", size))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask +
                            bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def send(self, message):
        self.frame(1, json.dumps(message).encode())

    def receive(self):
        """The next message; None when the exchange closes in good order."""
        while True:
            first, second = self.take(2)
            size = second & 127
            if size == 126:
                size = struct.unpack(">H", self.take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.take(8))[0]
            payload = self.take(size)
            if first & 15 == 9:
                self.frame(10, payload)
            elif first & 15 == 8:
                return None
            elif first & 15 == 1:
                return json.loads(payload)

    def wait_for(self, kind, test=lambda _: True):
        """The next message of a type; those before it are dropped."""
        while True:
            message = self.receive()
            assert message is not None, f"closed before a {kind}"
            if message["type"] == "error":
                raise AssertionError(message)
            if message["type"] == kind and test(message):
                return message


__all__ = ["Answer", "Client", "Domain", "Exchange", "Key", "WebSocket"]
