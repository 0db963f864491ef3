"""moto's server, one request at a time.

moto looks at a condition first and changes the object then, with nothing between that keeps others out, so that a race of
writers is lost now and then, and whether a condition can be trusted would be another matter in each run. The lock is what it
lacks. A body is taken in before: a client that sends slowly must not keep the others waiting.
"""

import io
import signal
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

lock = threading.Lock()
moto = DomainDispatcherApplication(create_backend_app)


def serve(environ, start_response):
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        body = stream.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("the body ended early")
    else:
        body = stream.read() if environ.get("wsgi.input_terminated") else b""
    environ["wsgi.input"] = io.BytesIO(body)
    with lock:
        return moto(environ, start_response)


signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
run_simple("127.0.0.1", int(sys.argv[1]), serve, threaded=True, request_handler=MotoRequestHandler)
