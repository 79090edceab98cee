"""A server of S3 on this machine, and what is in its bucket."""

import boto3
import pytest
from moto.server import ThreadedMotoServer

import tiny_network
from segmentation import remote

BUCKET = "bucket"


class Bucket:
    """A bucket of the server, for tests."""

    def __init__(self, client):
        self.client = client

    def put_folder(self, folder, prefix):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                self.client.upload_file(str(path), BUCKET, key)

    def names(self, prefix=""):
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {each["Key"] for each in found}

    def read(self, key):
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def get_folder(self, prefix, folder):
        for key in self.names(prefix):
            path = folder / key.removeprefix(prefix).lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(key))


@pytest.fixture(scope="session")
def server():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """An empty bucket; the environment of this test points to its server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(remote.CACHE, str(tmp_path / "cache"))
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    found = Bucket(client)
    yield found
    for key in found.names():
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, made the current one; `--model tiny` is known."""
    monkeypatch.chdir(tmp_path)
    tiny_network.register(monkeypatch.setitem)
    return tmp_path
