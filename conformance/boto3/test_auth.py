"""Who may come in, and virtual-host addressing."""

import datetime
import os

import pytest

from conftest import DOMAIN, PORT
from errors import fails
from raw import send, send_signed, sign

pytestmark = pytest.mark.node


@pytest.fixture
def held(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    return bucket


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def test_a_wrong_secret_does_not_match(make_client, held):
    with fails("SignatureDoesNotMatch", status=403):
        make_client(os.environ["AWS_ACCESS_KEY_ID"], "wrong").get_object(Bucket=held, Key="k")


def test_an_unknown_key_is_unknown(make_client, held):
    with fails("InvalidAccessKeyId", status=403):
        make_client("NOSUCHKEYNOSUCHKEY00", "wrong").get_object(Bucket=held, Key="k")


@pytest.mark.parametrize("target", ["/", "/{bucket}", "/{bucket}/k"])
def test_nobody_is_let_in_unsigned(held, target):
    answer = send("GET", target.format(bucket=held))
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_that_there_is_no_bucket_of_a_name_is_no_secret():
    answer = send("GET", "/no-such-bucket-here/k")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_more_than_15_minutes_off_is_too_skewed(held, minutes):
    at = now() + datetime.timedelta(minutes=minutes)
    answer = send_signed("GET", f"/{held}/k", at=at)
    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_less_than_15_minutes_off_will_do(held, minutes):
    assert send_signed("GET", f"/{held}/k", at=now() + datetime.timedelta(minutes=minutes)).status == 200


def test_another_region_is_named_as_wrong(held):
    answer = send_signed("GET", f"/{held}/k", region="eu-north-7")
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")
    assert b"<Region>us-east-1</Region>" in answer.body


def test_a_header_that_is_none_is_malformed(held):
    for text in ("AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders="):
        answer = send("GET", f"/{held}/k", {"Authorization": text})
        assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed"), text


def test_the_second_version_of_signatures_is_refused_clearly(held):
    answer = send("GET", f"/{held}/k", {"Authorization": "AWS KEY:c2lnbmF0dXJl"})
    assert answer.status in (400, 403)
    assert answer.code in ("InvalidRequest", "InvalidArgument", "InvalidAccessKeyId")


def test_a_signature_is_good_for_its_own_request_alone(held, s3):
    s3.put_object(Bucket=held, Key="other", Body=b"other")
    headers = sign("GET", f"/{held}/k")
    assert send("GET", f"/{held}/k", headers).status == 200
    for method, target, change in (
        ("GET", f"/{held}/other", {}),
        ("GET", f"/{held}/k?versionId=null", {}),
        ("DELETE", f"/{held}/k", {}),
        ("PUT", f"/{held}/k", {}),
        ("GET", f"/{held}/k", {"Host": "elsewhere"}),
        ("GET", f"/{held}/k", {"X-Amz-Date": (now() - datetime.timedelta(minutes=1)).strftime("%Y%m%dT%H%M%SZ")}),
    ):
        answer = send(method, target, {**headers, **change})
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch"), (method, target, change)
    assert s3.get_object(Bucket=held, Key="k")["Body"].read() == b"body"


def test_buckets_can_be_hosts(make_client, held):
    client = make_client(endpoint=f"http://{DOMAIN}:{PORT}", style="virtual")
    assert client.get_object(Bucket=held, Key="k")["Body"].read() == b"body"
    client.put_object(Bucket=held, Key="sp ace/ü", Body=b"1")
    listed = client.list_objects_v2(Bucket=held)["Contents"]
    assert [item["Key"] for item in listed] == ["k", "sp ace/ü"]
    assert held in [entry["Name"] for entry in client.list_buckets()["Buckets"]]


def test_a_bucket_is_made_and_deleted_as_host(make_client, bucket_name):
    client = make_client(endpoint=f"http://{DOMAIN}:{PORT}", style="virtual")
    client.create_bucket(Bucket=bucket_name)
    client.head_bucket(Bucket=bucket_name)
    client.delete_bucket(Bucket=bucket_name)


def test_the_host_header_alone_names_the_bucket(held):
    host = f"{held}.{DOMAIN}"
    headers = sign("GET", "/k", host=host)
    answer = send("GET", "/k", headers)
    assert (answer.status, answer.body) == (200, b"body")
    answer = send("GET", "/k", sign("GET", "/k", host=host.upper()))
    assert answer.status in (200, 403)
