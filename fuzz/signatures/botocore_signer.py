"""Signs requests with botocore: a request in JSON on each line of standard input, the signed one on a line of standard output."""

import datetime
import json
import sys
import urllib.parse
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

settings = json.loads(sys.stdin.readline())
credentials = Credentials(settings["accessKeyId"], settings["secretAccessKey"])
now = datetime.datetime.strptime(settings["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)


def signed(request):
    target = request["path"] + ("?" + request["query"] if request["query"] else "")
    aws = AWSRequest(
        method=request["method"], url="http://%s%s" % (settings["host"], target), headers=dict(request["headers"]), data=b""
    )
    if request["form"] == "query":
        signer = botocore.auth.S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=3600)
    else:
        signer = botocore.auth.S3SigV4Auth(credentials, "s3", "us-east-1")
    signer.add_auth(aws)
    parts = urllib.parse.urlsplit(aws.url)
    headers = [[name, value] for name, value in aws.headers.items()]
    return {
        "method": request["method"],
        "target": parts.path + ("?" + parts.query if parts.query else ""),
        "headers": [["Host", settings["host"]]] + headers,
    }


with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_args, **_kwargs: now):
    for line in sys.stdin:
        print(json.dumps(signed(json.loads(line))), flush=True)
