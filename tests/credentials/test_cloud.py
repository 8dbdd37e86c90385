"""Logins that a cloud gives: which hosts are its own, and the real libraries against doubles of their services."""

from __future__ import annotations

import base64
import re
import sys
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from imagesync_cli.values.hosts import known_host
from tests.command import imagesync
from tests.credentials.conftest import Served
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.images import image
from tests.embedded_registry.server import LoopbackServer
from tests.embedded_registry.wire import Request, Response, json_response
from tests.logins import CANARY

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
AWS_LOGIN = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_EC2_METADATA_DISABLED": "true"}


def cloud_of(host: str) -> str:
    found = known_host(host)
    return found.cloud if found else ""


@pytest.mark.parametrize(
    ("host", "cloud"),
    [
        (ECR, "aws"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "aws"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "aws"),
        ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "aws"),
        ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "aws"),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "aws"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "aws"),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "aws"),
        ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "aws"),
        ("public.ecr.aws", "aws"),
        ("ecr-public.aws.com", "aws"),
        ("gcr.io", "gcp"),
        ("eu.gcr.io", "gcp"),
        ("europe-west1-docker.pkg.dev", "gcp"),
        ("team.azurecr.io", "azure"),
        ("team-a1b2c3.azurecr.io", "azure"),
        ("team.azurecr.cn", "azure"),
        ("team.azurecr.us", "azure"),
    ],
)
def test_hosts(host: str, cloud: str) -> None:
    """Every form of a cloud's registry name is known for what it is."""
    assert cloud_of(host) == cloud


@pytest.mark.parametrize("known", [ECR, "public.ecr.aws", "gcr.io", "europe-docker.pkg.dev", "team.azurecr.io"])
@pytest.mark.parametrize(
    "form",
    ["{}.evil.example", "evil.example/{}", "{}:8443", "{}.", "x.{}.evil.example", "{}x", "a.b.{}", "{}\n", "{}/"],
)
def test_hosts_of_others(known: str, form: str) -> None:
    """A name that contains a cloud's, or only begins or ends like it, gets no login of that cloud."""
    assert cloud_of(form.format(known)) == ""


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The URL of moto's server, a double of AWS that boto3 talks to."""
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def private_registry(host: str, username: str, password: str) -> EmbeddedRegistry:
    registry = EmbeddedRegistry(Manner(authentication=Authentication("basic", {username: password})))
    image().seed(registry.repository("app"), "1")
    return registry


@pytest.mark.parametrize(
    "host", [ECR, "999999999999.dkr.ecr.cn-north-1.amazonaws.com.cn", "123456789012.dkr-ecr.eu-west-1.on.aws"]
)
def test_aws(host: str, aws: str, served_as: Served) -> None:
    """With AWS credentials in the environment an ECR registry is read without any other set-up, in every partition."""
    with private_registry(host, "AWS", "123456789012-auth-token") as registry:
        environ = served_as(host, registry.host) | AWS_LOGIN | {"AWS_ENDPOINT_URL": aws}
        done = imagesync("-v", "resolve", f"{host}/app:1", environ=environ)
    assert done.code == 0, done.err
    assert done.err == f"imagesync: {host}: logging in with the AWS login of this machine\n"


def test_no_aws_credentials(served_as: Served) -> None:
    """Without AWS credentials the error says that none were found, and what to set."""
    with private_registry(ECR, "AWS", "x") as registry:
        environ = served_as(ECR, registry.host) | {"AWS_EC2_METADATA_DISABLED": "true"}
        done = imagesync("resolve", f"{ECR}/app:1", environ=environ)
    assert done.code == 4
    assert "AWS_PROFILE" in done.err


def test_aws_refuses(served_as: Served) -> None:
    """A role that may not log in to ECR is an error with the permission that it needs, not an anonymous request."""
    answer = {"__type": "AccessDeniedException", "message": f"not authorized {CANARY}"}
    with LoopbackServer(lambda _: json_response(400, answer)) as api, private_registry(ECR, "AWS", "x") as registry:
        environ = served_as(ECR, registry.host) | AWS_LOGIN | {"AWS_ENDPOINT_URL": f"http://{api.host}"}
        done = imagesync("resolve", f"{ECR}/app:1", environ=environ)
    assert done.code == 4
    assert "ecr:GetAuthorizationToken" in done.err
    assert CANARY not in done.err


def test_aws_public(served_as: Served) -> None:
    """ECR Public is read anonymously by somebody whose role may not log in there."""
    answer = {"__type": "AccessDeniedException", "message": "no"}
    host = "public.ecr.aws"
    with LoopbackServer(lambda _: json_response(400, answer)) as api, TokenRegistry(host, anonymous=True) as registry:
        environ = served_as(host, registry.host) | AWS_LOGIN | {"AWS_ENDPOINT_URL": f"http://{api.host}"}
        done = imagesync("-v", "resolve", f"{host}/app:1", environ=environ)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("host", "module", "extra"),
    [
        (ECR, "boto3", "aws"),
        ("europe-docker.pkg.dev", "google.auth", "gcp"),
        ("team.azurecr.io", "azure.identity", "azure"),
    ],
)
def test_a_missing_extra(
    host: str, module: str, extra: str, served_as: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a cloud's library is not installed, the refusal of its registry says what to install."""
    monkeypatch.delitem(sys.modules, f"imagesync_cli.credentials.{extra}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with private_registry(host, "x", "x") as registry:
        done = imagesync("resolve", f"{host}/app:1", environ=served_as(host, registry.host))
    assert done.code == 4
    assert f"pip install 'imagesync-cli[{extra}]'" in done.err


@pytest.mark.parametrize("host", ["public.ecr.aws", "gcr.io", "europe-docker.pkg.dev"])
def test_public_images_without_the_extra(host: str, served_as: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public images of a cloud's registry are read without its library."""
    for extra, module in (("aws", "boto3"), ("gcp", "google.auth")):
        monkeypatch.delitem(sys.modules, f"imagesync_cli.credentials.{extra}", raising=False)
        monkeypatch.setitem(sys.modules, module, None)
    with TokenRegistry(host, anonymous=True) as registry:
        done = imagesync("resolve", f"{host}/app:1", environ=served_as(host, registry.host))
    assert done.code == 0, done.err


class TokenRegistry(EmbeddedRegistry):
    """A registry whose token server is found under its public name."""

    def __init__(self, name: str, accounts: dict[str, str] | None = None, *, anonymous: bool = False) -> None:
        rules = Authentication("bearer", accounts or {}, anonymous_pull=anonymous)
        super().__init__(Manner(authentication=rules))
        image().seed(self.repository("app"), "1")
        self.fault = None
        self._name = name

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        challenge = response.headers.get("WWW-Authenticate", "")
        realm = re.sub(r"http://[0-9.:]+/", f"https://{self._name}/", challenge)
        return Response(
            response.status,
            response.headers | ({"WWW-Authenticate": realm} if challenge else {}),
            response.body,
            response.length,
            response.close,
        )


def test_google(served_as: Served) -> None:
    """On a Google machine the metadata server's token logs in to Artifact Registry."""
    host = "europe-docker.pkg.dev"

    def metadata(request: Request) -> Response:
        if request.headers.get("metadata-flavor") != "Google":
            return Response(403)
        if request.path.endswith("/token"):
            answer = {"access_token": CANARY, "expires_in": 3600, "token_type": "Bearer"}
            return json_response(200, answer, {"Metadata-Flavor": "Google"})
        if "service-accounts" in request.path:
            answer = {"email": "x@y", "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
            return json_response(200, answer, {"Metadata-Flavor": "Google"})
        return Response(200, {"Metadata-Flavor": "Google", "Content-Type": "text/plain"}, b"project")

    with LoopbackServer(metadata) as server, TokenRegistry(host, {"oauth2accesstoken": CANARY}) as registry:
        environ = served_as(host, registry.host)
        environ |= {"GCE_METADATA_HOST": server.host, "GCE_METADATA_IP": server.host}
        done = imagesync("-v", "resolve", f"{host}/app:1", environ=environ)
    assert done.code == 0, done.err
    assert done.err == f"imagesync: {host}: logging in with the Google login of this machine\n"


def test_broken_google_credentials(served_as: Served) -> None:
    """A key file that is named and not there is an error, not an anonymous request."""
    host = "europe-docker.pkg.dev"
    with TokenRegistry(host, anonymous=True) as registry:
        environ = served_as(host, registry.host) | {"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent/key.json"}
        done = imagesync("resolve", f"{host}/app:1", environ=environ)
    assert done.code == 4
    assert "GOOGLE_APPLICATION_CREDENTIALS" in done.err


def test_azure(served_as: Served) -> None:
    """With a managed identity its token is exchanged at the registry, and what comes back logs in there."""
    host = "team.azurecr.io"

    def identity(request: Request) -> Response:
        assert request.headers["x-identity-header"] == "header"
        answer = {
            "access_token": f"entra-{CANARY}",
            "expires_on": "4102444800",
            "resource": "x",
            "token_type": "Bearer",
        }
        return json_response(200, answer)

    class Acr(TokenRegistry):
        def handle(self, request: Request) -> Response:
            if request.path == "/oauth2/exchange":
                form = parse_qs(bytes(request.body).decode())
                assert form["access_token"] == [f"entra-{CANARY}"]
                assert form["service"] == [host]
                self.authenticator.refresh_tokens[f"refresh-{CANARY}"] = "azure"
                return json_response(200, {"refresh_token": f"refresh-{CANARY}"})
            return super().handle(request)

    with LoopbackServer(identity) as server, Acr(host) as registry:
        environ = served_as(host, registry.host)
        environ |= {"IDENTITY_ENDPOINT": f"http://{server.host}/token", "IDENTITY_HEADER": "header"}
        environ |= {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}
        done = imagesync("-v", "resolve", f"{host}/app:1", environ=environ)
    assert done.code == 0, done.err
    assert done.err == f"imagesync: {host}: logging in with the Azure login of this machine\n"


def test_a_cloud_login_is_for_its_cloud_alone(aws: str, served_as: Served) -> None:
    """A host that is made to look like ECR is asked without the machine's AWS login."""
    host = f"{ECR}.evil.example"
    with private_registry(host, "AWS", "x") as registry:
        environ = served_as(host, registry.host) | AWS_LOGIN | {"AWS_ENDPOINT_URL": aws}
        done = imagesync("resolve", f"{host}/app:1", environ=environ)
        sent = [request for request in registry.requests if "authorization" in request.headers]
    assert done.code == 4
    assert sent == []
    assert base64.b64encode(b"AWS:").decode()[:4] not in str(registry.requests)
