"""
`python -m deploy.systemd.wait_ready 90` ends when all workers are warm, and fails if they are not after 90 seconds.

It asks the ops port, which speaks for all of them.
"""

import http.client
import sys
import time

from app.environment import load_settings

POLL_SECONDS = 0.2


def ready(host: str, port: int) -> bool:
    """Whether /readyz answers 200; a server that does not answer is not ready."""
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
    while not ready(settings.ops_host, settings.ops_port):
        if time.monotonic() > deadline:
            address = f"{settings.ops_host} port {settings.ops_port}"
            sys.exit(f"/readyz on {address} has not answered 200 within {seconds:g} s")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(float(sys.argv[1]))
