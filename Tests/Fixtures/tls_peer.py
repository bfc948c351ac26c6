#!/usr/bin/env python3
"""A TLS peer that is not ours: Python's ssl as a client or as an HTTP server. Options are one JSON object.

    tls_peer.py client '{"port": 8443, "ca": FILE, "requests": ["GET …"], …}'    a JSON line for each connection
    tls_peer.py server '{"cert": FILE, "key": FILE}'                             prints its port, serves until killed
"""
import json, os, socket, ssl, sys, threading, time  # noqa: E401

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
ROOM = 64 * 1024


def limit_versions(context, options):
    if "version" in options:
        context.minimum_version = context.maximum_version = VERSIONS[options["version"]]


def client_context(options):
    context = ssl.create_default_context(cafile=options.get("ca"))
    if "ca" not in options:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "cert" in options:
        context.load_cert_chain(options["cert"], options["key"])
    if "alpn" in options:
        context.set_alpn_protocols(options["alpn"])
    limit_versions(context, options)
    return context


class Connection:
    """TLS over memory, so that the records can be cut into pieces of any size on their way."""

    def __init__(self, context, options, session):
        self.piece = options.get("piece", 1 << 20)
        self.socket = socket.create_connection(("127.0.0.1", options["port"]), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if "receive_buffer" in options:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive_buffer"])
        self.socket.sendall(options.get("preface", "").encode())
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_hostname=options.get("host", "127.0.0.1"), session=session)

    def flush(self):
        records = self.outgoing.read()
        for start in range(0, len(records), self.piece):
            self.socket.sendall(records[start:start + self.piece])

    def run(self, action):
        """Runs `action` of the TLS object until it needs nothing more. None where the connection was cut."""
        while True:
            try:
                result = action()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                records = self.socket.recv(ROOM)
                if records:
                    self.incoming.write(records)
                else:
                    self.incoming.write_eof()
            except ssl.SSLEOFError:
                return None
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError:
                self.flush()
                raise


def visit(context, options, session):
    told = {"text": "", "length": 0, "end": "", "error": ""}
    connection = None
    try:
        connection = Connection(context, options, session)
        connection.run(connection.tls.do_handshake)
        if connection.tls.version() is None:
            raise ConnectionResetError("cut within the handshake")
        told.update(
            version=connection.tls.version(), alpn=connection.tls.selected_alpn_protocol(),
            resumed=connection.tls.session_reused,
            certificate=(connection.tls.getpeercert() or {}).get("serialNumber", ""))
        data = options["request"].encode() + b"b" * options.get("body_bytes", 0)
        while data:
            data = data[connection.run(lambda: connection.tls.write(data)):]
        while "gate" in options and not os.path.exists(options["gate"]):
            time.sleep(0.01)
        text = b""
        while True:
            read = connection.run(lambda: connection.tls.read(ROOM))
            if not read:
                told["end"] = "cut" if read is None else "goodbye"
                break
            told["length"] += len(read)
            text += read[:max(0, ROOM - len(text))]
        told["text"] = text.decode("latin-1")
    except (ssl.SSLError, OSError) as error:
        told["error"] = f"{type(error).__name__}: {error}"
    if connection:
        if not told["error"]:
            session = connection.tls.session
        connection.socket.close()
    print(json.dumps(told), flush=True)
    return session


def client(options):
    context, session = client_context(options), None
    for _ in range(options.get("times", 1)):
        session = visit(context, options, session)


def answer(connection, path):
    """The body's way follows from the path: /length/N, /close/N, /cut/N (no goodbye), or the file that was given."""
    parts = path.split("/")
    kind, count = parts[1], int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else 0
    head = f"HTTP/1.1 200 OK\r\nX-Resumed: {int(connection.session_reused)}\r\nCache-Control: max-age=60\r\n"
    if kind in ("close", "cut"):
        connection.sendall(f"{head}\r\n".encode())
    else:
        body = open(parts[1].replace("%2F", "/"), "rb").read() if kind.startswith("%2F") else None
        length = len(body) if body is not None else count
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
        if body is not None:
            connection.sendall(body)
            return True
    while count:
        connection.sendall(b"x" * min(count, ROOM))
        count -= min(count, ROOM)
    if kind == "close":
        connection.unwrap()
    return kind not in ("close", "cut")


def serve(accepted, context):
    try:
        with accepted, context.wrap_socket(accepted, server_side=True) as connection:
            received = b""
            while True:
                while b"\r\n\r\n" not in received:
                    read = connection.recv(ROOM)
                    if not read:
                        return
                    received += read
                head, received = received.split(b"\r\n\r\n", 1)
                if not answer(connection, head.split(b" ")[1].decode()):
                    return
    except OSError:
        pass


def server(options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["cert"], options["key"])
    context.set_alpn_protocols(["http/1.1"])
    limit_versions(context, options)
    listener = socket.create_server(("127.0.0.1", options.get("port", 0)), backlog=128)
    print(listener.getsockname()[1], flush=True)
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=serve, args=(accepted, context), daemon=True).start()


if __name__ == "__main__":
    {"client": client, "server": server}[sys.argv[1]](json.loads(sys.argv[2]))
