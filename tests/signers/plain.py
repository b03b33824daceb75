#!/usr/bin/python3
"""A signer as a shell-minded person would write it: GnuPG in a Debian image, for the tests alone.

As a frontend it speaks BuildKit's gateway protocol over standard input and output with nothing but an HTTP/2 library;
messages are put together by hand. It asks for one build step with its own image as the root, in which this same file,
called with the word `work`, writes a detached signature beside every .deb and lets rpmsign sign every .rpm. The key is the secret `signing-key`.
"""

import hashlib
import os
import shutil
import struct
import subprocess
import sys

import h2.connection
import h2.events

SERVICE = "/moby.buildkit.v1.frontend.LLBBridge/"
OWN_IMAGE = "/run/config/buildkit/metadata/frontend.bin"
KEY = "/run/secrets/signing-key"


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """Encodes one field: a number, or a text, bytes or message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def fields(data):
    """Decodes a message to pairs of field number and value."""
    at, found = 0, []
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise ValueError("a field of kind %d" % (tag & 7))
        found.append((tag >> 3, value))
    return found


def first(data, number, default=b""):
    return next((value for found, value in fields(data) if found == number), default)


class Engine:
    """The engine at the other end of standard input and output."""

    def __init__(self):
        self.input, self.output = sys.stdin.buffer.raw, sys.stdout.buffer.raw
        self.connection = h2.connection.H2Connection()
        self.connection.initiate_connection()
        self.flush()

    def flush(self):
        data = self.connection.data_to_send()
        while data:
            data = data[self.output.write(data):]

    def call(self, method, message):
        """Makes one call and returns the answer; a failure ends the program."""
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":path", SERVICE + method), (":authority", "localhost"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ])
        data = struct.pack(">BI", 0, len(message)) + message
        while data:
            size = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            if size:
                self.connection.send_data(stream, data[:size])
                data = data[size:]
                self.flush()
            else:
                self.receive(stream)
        self.connection.end_stream(stream)
        self.flush()
        answer, headers, ended = b"", {}, False
        while not ended:
            more, new, ended = self.receive(stream)
            answer += more
            headers.update(new)
        if headers.get(b"grpc-status", b"2") != b"0":
            sys.exit("%s: %s" % (method, headers.get(b"grpc-message", b"no status").decode()))
        return answer[5:]

    def receive(self, stream):
        """Waits for news and returns what came on a stream: data, headers, and whether that was all."""
        data, headers, ended = b"", {}, False
        received = self.input.read(1 << 16)
        if not received:
            sys.exit("the engine is gone")
        for event in self.connection.receive_data(received):
            if isinstance(event, h2.events.DataReceived):
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                data += event.data if event.stream_id == stream else b""
            elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                headers.update((as_bytes(name), as_bytes(value)) for name, value in event.headers)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                ended = ended or event.stream_id == stream
        self.flush()
        return data, headers, ended


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def end_of(graph):
    """Returns the ops of a graph without its last, and the reference to the result that this last one makes."""
    ops = [value for number, value in fields(graph) if number == 1]
    return ops[:-1], first(ops[-1], 1)


def option(name):
    """Returns an option of the client; a step that has the name of its key is another step for another key."""
    texts = (value for key, value in os.environ.items() if key.startswith("BUILDKIT_FRONTEND_OPT_"))
    return dict(text.partition("=")[::2] for text in texts).get(name, "")


def step(own, artifacts):
    """Returns the graph of the build step that signs."""
    own_ops, own_end = end_of(own)
    ops, end = end_of(artifacts)
    meta = b"".join([
        field(1, "/signer"), field(1, "work"),
        field(2, "PATH=/usr/bin:/bin"), field(2, "HOME=/tmp"), field(2, "SIGNER_KEY=" + option("build-arg:SIGNER_KEY")),
        field(3, "/"),
    ])
    secret = field(1, "signing-key") + field(4, 0o400)
    mounts = [
        field(3, "/"),
        field(1, 1) + field(3, "/in") + field(4, -1) + field(5, 1),
        field(1, -1) + field(3, "/out") + field(4, 1),
        field(1, -1) + field(3, KEY) + field(4, -1) + field(6, 1) + field(21, secret),
        field(1, -1) + field(3, "/tmp") + field(4, -1) + field(6, 4) + field(19, b""),
    ]
    none = 2
    execution = field(1, meta) + b"".join(field(2, mount) for mount in mounts) + field(3, none)
    platform = field(1, os.environ.get("SIGNER_ARCHITECTURE", "amd64")) + field(2, "linux")
    op = field(1, own_end) + field(1, end) + field(2, execution) + field(10, platform)
    every = finished(own_ops + ops + [op], 1)
    # What is known of ops, such as which of their kinds need what of the engine, travels beside them.
    known = [value for graph in (own, artifacts) for number, value in fields(graph) if number == 2]
    return b"".join(field(1, op) for op in every) + b"".join(field(2, entry) for entry in known)


def finished(ops, index):
    """Returns the graph that ends with result `index` of the last of `ops`."""
    digest = "sha256:" + hashlib.sha256(ops[-1]).hexdigest()
    return list(dict.fromkeys(ops + [field(1, field(1, digest) + field(2, index))]))


def local(name):
    """Returns the graph of a folder of the client's."""
    return b"".join(field(1, op) for op in finished([field(3, field(1, "local://" + name))], 0))


def frontend():
    engine = Engine()
    inputs = engine.call("Inputs", b"")
    inputs = {first(entry, 1): first(entry, 2) for number, entry in fields(inputs) if number == 1}
    with open(OWN_IMAGE, "rb") as file:
        graph = step(file.read(), inputs.get(b"context") or local("context"))
    answer = engine.call("Solve", field(1, graph) + field(5, 1) + field(6, 1) + field(14, 1))
    reference = first(first(answer, 3), 3)
    engine.call("Return", field(1, field(3, reference)))


def work():
    gpg = ["gpg", "--batch", "--quiet", "--no-tty", "--homedir", "/tmp"]
    subprocess.run(gpg + ["--import", KEY], check=True)
    for folder, _, names in os.walk("/in"):
        to = os.path.join("/out", os.path.relpath(folder, "/in"))
        os.makedirs(to, exist_ok=True)
        for name in names:
            copy = os.path.join(to, name)
            shutil.copy2(os.path.join(folder, name), copy)
            if name.endswith(".deb"):
                subprocess.run(gpg + ["--armor", "--detach-sign", copy], check=True)
            if name.endswith(".rpm"):
                listed = subprocess.run(gpg + ["--with-colons", "--list-keys"], check=True, stdout=subprocess.PIPE)
                owner = listed.stdout.decode().split("\nuid:")[1].split(":")[8]
                macros = {"_gpg_name": owner, "_gpg_path": "/tmp", "__gpg": "/usr/bin/gpg"}
                defines = [word for macro in macros.items() for word in ("--define", " ".join(macro))]
                subprocess.run(["rpmsign", *defines, "--addsign", copy], check=True)


if __name__ == "__main__":
    work() if sys.argv[1:] == ["work"] else frontend()
