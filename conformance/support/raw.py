"""Signed requests whose every byte the test decides. The signer is botocore's; the transport is http.client."""

import datetime
import hashlib
import http.client
import os
import re
from unittest import mock

import botocore.auth
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT = int(os.environ["S3_PORT"])
ADMIN = os.environ["FOREBAY_ADMIN_URL"]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def code(self):
        match = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return match.group(1).decode() if match else None


def send(method, target, headers=None, body=b"", port=PORT):
    """Sends exactly this target and these headers, unsigned; Host is added unless given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body or method in ("PUT", "POST"):
            if not any(name.lower() == "content-length" for name in (headers or {})):
                connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def sign(method, target, headers=None, body=b"", at=None, access_key=None, secret=None, region="us-east-1", host=None):
    """The headers of a SigV4-signed request, `at` a time other than now."""
    credentials = Credentials(
        access_key or os.environ["AWS_ACCESS_KEY_ID"], secret or os.environ["AWS_SECRET_ACCESS_KEY"]
    )
    host = host or f"127.0.0.1:{PORT}"
    request = AWSRequest(method=method, url=f"http://{host}{target}", headers=headers or {}, data=body)
    request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    moment = at or datetime.datetime.now(datetime.timezone.utc)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_: moment.replace(tzinfo=None)):
        S3SigV4Auth(credentials, "s3", region).add_auth(request)
    signed = dict(request.headers.items())
    signed["Host"] = host
    return signed


def send_signed(method, target, headers=None, body=b"", **signing):
    return send(method, target, sign(method, target, headers, body, **signing), body)


def fetch(url):
    """GETs a whole URL, such as a presigned one."""
    match = re.match(r"http://([^/]+)(/.*)$", url)
    return send("GET", match.group(2), {"Host": match.group(1)})
