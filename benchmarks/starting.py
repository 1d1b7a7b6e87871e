"""Run in a container: prints how long a program takes to its end, or to its first ``/ping``.

``python starting.py end PROGRAM...`` or ``python starting.py ping PROGRAM...``, so that starting the
container itself is no part of it.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import time

_PAUSE_S = 0.005
_LIMIT_S = 120.0
_HTTP_OK = 200


def main() -> int:
    """Measure and print the seconds."""
    until, *argv = sys.argv[1:]
    start_s = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as child:
        if until == "end":
            status = child.wait(_LIMIT_S)
            seconds = time.perf_counter() - start_s
        else:
            while not _answers() and child.poll() is None:
                time.sleep(_PAUSE_S)
            seconds = time.perf_counter() - start_s
            child.terminate()
            status = child.wait(_LIMIT_S)
    print(seconds)
    return status


def _answers() -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == _HTTP_OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
