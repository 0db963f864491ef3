"""Users, their keys, and whose a bucket is."""

import itertools
import json
import time

import pytest

from errors import fails

pytestmark = pytest.mark.node

_numbers = itertools.count(1)


@pytest.fixture
def user(forebay, make_client):
    """Makes users with keys of the test's choosing, and clients for them."""
    made = []

    def make(policy):
        number = next(_numbers)
        name, key, secret = f"user-{policy}-{number}", f"TESTKEY{number:013}", f"secret/of+{number}" + "x" * 20
        forebay("user", "create", name, "--access-key-id", key, "--secret-access-key", secret, "--policy", policy)
        made.append(name)
        client = make_client(key, secret)
        client.user_name, client.key_id = name, key
        return client

    yield make
    for name in made:
        forebay("user", "delete", name)


@pytest.fixture
def own_bucket(user, bucket_name):
    owner = user("readwrite")
    owner.create_bucket(Bucket=bucket_name)
    owner.put_object(Bucket=bucket_name, Key="k", Body=b"mine")
    yield owner, bucket_name
    owner.delete_object(Bucket=bucket_name, Key="k")
    owner.delete_bucket(Bucket=bucket_name)


def test_a_user_works_in_ones_own_bucket(own_bucket):
    owner, bucket = own_bucket
    assert owner.get_object(Bucket=bucket, Key="k")["Body"].read() == b"mine"
    assert [entry["Name"] for entry in owner.list_buckets()["Buckets"]] == [bucket]


def test_another_user_is_kept_out_of_every_operation(own_bucket, user):
    owner, bucket = own_bucket
    other = user("readwrite")
    owner.get_object(Bucket=bucket, Key="k")
    assert other.list_buckets()["Buckets"] == []
    for call in (
        lambda: other.get_object(Bucket=bucket, Key="k"),
        lambda: other.get_object(Bucket=bucket, Key="none"),
        lambda: other.put_object(Bucket=bucket, Key="k", Body=b"theirs"),
        lambda: other.delete_object(Bucket=bucket, Key="k"),
        lambda: other.list_objects_v2(Bucket=bucket),
        lambda: other.list_objects(Bucket=bucket),
        lambda: other.get_bucket_location(Bucket=bucket),
        lambda: other.delete_bucket(Bucket=bucket),
        lambda: other.create_multipart_upload(Bucket=bucket, Key="k"),
        lambda: other.list_multipart_uploads(Bucket=bucket),
    ):
        with fails("AccessDenied", status=403):
            call()
    answer = other.delete_objects
    with fails("AccessDenied", status=403):
        answer(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    with fails("403", status=403):
        other.head_object(Bucket=bucket, Key="k")
    with fails("BucketAlreadyExists", status=409):
        other.create_bucket(Bucket=bucket)
    assert owner.get_object(Bucket=bucket, Key="k")["Body"].read() == b"mine"


def test_a_copy_needs_the_right_to_read_its_source(own_bucket, user, bucket_name):
    _, bucket = own_bucket
    other = user("readwrite")
    mine = bucket + "-copies"
    other.create_bucket(Bucket=mine)
    with fails("AccessDenied", status=403):
        other.copy_object(Bucket=mine, Key="stolen", CopySource={"Bucket": bucket, "Key": "k"})
    assert other.list_objects_v2(Bucket=mine)["KeyCount"] == 0
    other.delete_bucket(Bucket=mine)


def test_an_admin_may_do_everything(own_bucket, user):
    _, bucket = own_bucket
    admin = user("admin")
    assert admin.get_object(Bucket=bucket, Key="k")["Body"].read() == b"mine"
    admin.put_object(Bucket=bucket, Key="k2", Body=b"1")
    admin.delete_object(Bucket=bucket, Key="k2")


def test_a_reader_cannot_write(user, bucket_name):
    reader = user("readonly")
    with fails("AccessDenied", status=403):
        reader.create_bucket(Bucket=bucket_name)
    assert reader.list_buckets()["Buckets"] == []


def test_a_disabled_key_is_refused_within_two_seconds(own_bucket, user, forebay):
    victim = user("admin")
    _, bucket = own_bucket
    assert victim.get_object(Bucket=bucket, Key="k")["Body"].read() == b"mine"
    forebay("user", "key", "disable", victim.user_name, victim.key_id)
    deadline = time.monotonic() + 2
    while True:
        try:
            victim.get_object(Bucket=bucket, Key="k")
        except Exception:
            break
        assert time.monotonic() < deadline
    with fails("InvalidAccessKeyId", status=403):
        victim.get_object(Bucket=bucket, Key="k")


def test_users_are_listed_and_shown_without_secrets(user, forebay):
    name = user("readwrite").user_name
    for arguments in (("user", "list", "--json"), ("user", "show", name, "--json")):
        output = forebay(*arguments).stdout
        json.loads(output)
        assert name in output
        assert "secret/of+" not in output


def test_a_user_who_is_there_cannot_be_made_again(user, forebay):
    name = user("readonly").user_name
    result = forebay("user", "create", name, "--policy", "admin", check=False)
    assert result.returncode == 1
    assert name in result.stderr


def test_wrong_usage_ends_with_2(forebay):
    for arguments in (("user", "create"), ("no-such-command",), ("mount", "add", "only-one"), ("user", "list", "--no-such")):
        assert forebay(*arguments, check=False).returncode == 2, arguments
