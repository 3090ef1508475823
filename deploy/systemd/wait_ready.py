"""`python -m deploy.systemd.wait_ready 30` ends when /readyz answers 200, and fails if it has not after 30 seconds."""

import http.client
import sys
import time

from app.settings import load_settings

POLL_SECONDS = 0.2
# Who listens on all addresses listens on these.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def ready(host: str, port: int) -> bool:
    """Whether a worker answers and is ready; a server that does not answer is not."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(seconds: float) -> None:
    settings = load_settings()
    host = LOOPBACK.get(settings.host, settings.host)
    deadline = time.monotonic() + seconds
    while not ready(host, settings.port):
        if time.monotonic() > deadline:
            sys.exit(f"/readyz on {host} port {settings.port} has not answered 200 within {seconds:g} s")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(float(sys.argv[1]))
