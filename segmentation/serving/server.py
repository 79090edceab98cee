"""A web server of one folder, for this machine or the local network."""

import datetime
import functools
import http.server
import ipaddress
import os
import socket
import socketserver
import ssl
import sys

from segmentation.errors import InputError
from segmentation.serving.site import HEADERS

TIMEOUT = 30  # seconds that a silent connection is kept
VALIDITY = 30  # days of a certificate: browsers distrust long ones
NOWHERE = ("192.0.2.1", 9)  # an address for documentation (RFC 5737), to which nothing is sent


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Answers GET and HEAD with files of the folder; other methods get status 501."""

    timeout = TIMEOUT
    server_version, sys_version = "serve.py", ""
    # Not those of the system, which may differ: browsers want these to run scripts.
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".css": "text/css",
        ".html": "text/html; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
    }

    def end_headers(self):
        """Add the headers of every answer."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def send_head(self):
        """Find no file of a name that no file can have, such as one with a null character."""
        try:
            return super().send_head()
        except ValueError:
            self.send_error(404)
            return None

    def list_directory(self, path):
        """List nothing."""
        self.send_error(404)

    def log_message(self, format, *args):
        """Stay silent: the terminal shows the addresses."""


class Server(socketserver.ThreadingTCPServer):
    """A server of a folder. Not an HTTPServer, which asks the network for this machine's name.

    Attributes:
        urls: the address on this machine, that in the local network, or both: where it listens.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere, two programs would share a port

    def __init__(self, folder, host, port, https=False):
        """Listen.

        Args:
            folder: whose files are served.
            host: IPv4 address or name to listen on; 0.0.0.0 is every network of this machine.
            port: 0 takes a free one.
            https: whether to encrypt, with a certificate made for this run.

        Raises:
            InputError: if the port is in use, or the address is none of this machine.
        """
        try:
            super().__init__((host, port), functools.partial(_Handler, directory=str(folder)))
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or "no address"
            raise InputError(
                f"cannot listen on {host}, port {port} ({said}); choose another --port or --host"
            ) from None
        bound = ipaddress.ip_address(self.server_address[0])
        everywhere = bound.is_unspecified
        names = ["localhost" if bound.is_loopback or everywhere else str(bound)]
        if everywhere and (address := local_address()):
            names.append(address)
        if https:
            context = certificate([*names, "localhost", "127.0.0.1"])
            # The handshake is that of the thread of a connection: a silent one stops no other.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if https else "http"
        self.urls = [f"{scheme}://{name}:{self.server_address[1]}/" for name in names]

    def handle_error(self, request, client_address):
        """Pass over connections that broke off, as those that refuse the certificate do."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def local_address():
    """Return the address of this machine in the local network, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(NOWHERE)  # of UDP: chooses a network, and sends nothing
        except OSError:
            return None
        return probe.getsockname()[0]


def certificate(names):
    """Return an SSL context with a certificate for `names` that no authority has signed."""
    import trustme

    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    issued = trustme.CA(organization_name="serve.py").issue_cert(
        *dict.fromkeys(names),
        organization_name="serve.py",
        not_before=now - day,
        not_after=now + VALIDITY * day,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context
