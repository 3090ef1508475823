"""`python -m deploy.systemd.wait_ready 30` ends when /readyz answers 200, and fails if it has not after 30 seconds."""

import http.client
import sys
import time

from app.settings import load_settings

POLL_SECONDS = 0.2


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
    deadline = time.monotonic() + seconds
    # On Linux a connection to 0.0.0.0 or :: goes to this machine.
    while not ready(settings.host, settings.port):
        if time.monotonic() > deadline:
            sys.exit(f"/readyz on {settings.host} port {settings.port} has not answered 200 within {seconds:g} s")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(float(sys.argv[1]))
