"""Writes botocore-vectors.json: requests that botocore signs. Run with any Python that has botocore:

    python3 test/auth/botocore_vectors.py > test/auth/botocore-vectors.json
"""
import datetime
import json
import urllib.parse
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime.datetime(2013, 5, 24, 0, 0, 0, tzinfo=datetime.timezone.utc)
KEYS = [
    "plain.txt", "a b", "a+b", "a//b", "../up", "./x/.", "trail/", "tilde~", "it's(1)*!", "100%", "é/日本/🎉",
    "q?uestion#hash", "semi;colon,comma", "=equals&and", "colon:at@dollar$", "a%2Fb", '"quoted"',
]
QUERIES = ["", "list-type=2&prefix=a%20b%2F&delimiter=%2F", "uploads", "versionId=null&partNumber=1", "tagging=", "b=2&a=1&B=3&a-=4"]
HEADERS = [
    {}, {"x-amz-meta-name": "va  lue", "Content-Type": "text/plain; charset=utf-8"}, {"Range": "bytes=0-9", "x-amz-meta-u": "é"},
]


def fixed_now(*_args, **_kwargs):
    return NOW


def vector(signer, form, method, key, query, headers):
    path = "/bucket/" + urllib.parse.quote(key, safe="/~")
    target = path + ("?" + query if query else "")
    request = AWSRequest(method=method, url="http://localhost:9000" + target, headers=dict(headers), data=b"")
    signer.add_auth(request)
    parts = urllib.parse.urlsplit(request.url)
    sent = {name: value for name, value in request.headers.items()}
    sent["Host"] = "localhost:9000"
    target = parts.path + ("?" + parts.query if parts.query else "")
    return {"form": form, "method": method, "target": target, "headers": sent}


def main():
    vectors = []
    names = ["get_current_datetime"]
    with mock.patch.object(botocore.auth, names[0], fixed_now):
        for index, key in enumerate(KEYS):
            query = QUERIES[index % len(QUERIES)]
            headers = HEADERS[index % len(HEADERS)]
            method = ["GET", "PUT", "DELETE", "HEAD"][index % 4]
            signer = botocore.auth.S3SigV4Auth(CREDENTIALS, "s3", "us-east-1")
            vectors.append(vector(signer, "header", method, key, query, headers))
            signer = botocore.auth.S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", expires=3600)
            vectors.append(vector(signer, "query", method, key, query, headers))
    print(json.dumps(vectors, indent=2, ensure_ascii=True))


main()
