"""A double of a Kubernetes API server, as far as kubectl needs one to apply, follow and delete a single Deployment.

It has no nodes: a Deployment is rolled out at once if every image that it names can be pulled whole, by skopeo. Whether
that is so for the images of before as well, which pods may still run, is noted each time that kubectl applies, asks or
deletes.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from tests import peers

_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_EMPTY_OPENAPI = (
    b"\x0a\x032.0"  # a Document of gnostic's with nothing but a version: kubectl then has no schema to check by
)
_RESOURCE = {"name": "deployments", "singularName": "deployment", "namespaced": True, "kind": "Deployment"}
_KNOWN = {
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {
                "name": "apps",
                "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
            }
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "apps/v1",
        "resources": [{**_RESOURCE, "verbs": ["get", "list", "watch", "create", "patch", "delete"]}],
    },
}


class Cluster:
    """Serves while its ``with`` block lasts.

    ``applied`` are the manifests in their order, and ``running`` the Deployment that the last one made, unless it was
    deleted. ``looks`` tells of all images so far whether they could be pulled, as of each request that concerns the
    Deployment. With ``broken`` a rollout never ends well.
    """

    def __init__(self, folder: Path) -> None:
        self.applied: list[dict[str, Any]] = []
        self.looks: list[tuple[str, dict[str, bool]]] = []
        self.running: dict[str, Any] | None = None
        self.broken = False
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": self})
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        config = folder / "kubeconfig"
        config.write_text(_KUBECONFIG % self._server.server_address[1])
        self.environment = {"KUBECONFIG": str(config), "HOME": str(folder)}

    def __enter__(self) -> Cluster:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def look(self, why: str) -> dict[str, bool]:
        """Note which images can be pulled now."""
        images = dict.fromkeys(image for each in self.applied for image in images_of(each))
        self.looks.append((why, {image: _can_be_pulled(image) for image in images}))
        return self.looks[-1][1]

    def take(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Do as a manifest says; returns the Deployment with its status."""
        self.applied.append(manifest)
        pullable = self.look("apply")
        there = not self.broken and all(pullable[image] for image in images_of(manifest))
        generation, replicas = len(self.applied), manifest["spec"]["replicas"]
        annotations = {**manifest["metadata"].get("annotations", {}), _APPLIED: json.dumps(manifest)}
        self.running = {
            **manifest,
            "metadata": {
                **manifest["metadata"],
                "uid": "1",
                "resourceVersion": f"{generation}",
                "generation": generation,
                "annotations": annotations,
            },
            "status": {
                "observedGeneration": generation,
                "replicas": replicas,
                **({"updatedReplicas": replicas, "availableReplicas": replicas} if there else _STUCK),
            },
        }
        return self.running


_STUCK = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: double
contexts: [{name: double, context: {cluster: double, user: nobody}}]
clusters: [{name: double, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: nobody, user: {}}]
"""


def images_of(manifest: dict[str, Any]) -> list[str]:
    """Return the images that a Deployment's containers run."""
    return [container["image"] for container in manifest["spec"]["template"]["spec"]["containers"]]


def _can_be_pulled(image: str) -> bool:
    """Whether all of an image comes, as a node would ask for it: by its digest."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            peers.program("skopeo"),
            "copy",
            "--all",
            "--src-tls-verify=false",
            f"docker://{image}",
            f"dir:{folder}",
        ]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/openapi/v2":
            self.reply(200, _EMPTY_OPENAPI, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        elif path in _KNOWN:
            self.answer(200, _KNOWN[path])
        elif path == _DEPLOYMENTS and "watch=" in query:
            self.answer(200, {"type": "MODIFIED", "object": self.cluster.running})
        elif path == _DEPLOYMENTS:
            self.cluster.look("rollout")
            listed = [self.cluster.running] if self.cluster.running else []
            self.answer(200, {"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": listed})
        elif path == f"{_DEPLOYMENTS}/web" and self.cluster.running:
            self.answer(200, self.cluster.running)
        else:
            self.not_found()

    def do_POST(self) -> None:
        self.answer(201, self.cluster.take(self.manifest_in(self.body())))

    def do_PATCH(self) -> None:
        self.answer(200, self.cluster.take(self.manifest_in(self.body())))

    def do_DELETE(self) -> None:
        self.body()
        if self.cluster.running is None:
            return self.not_found()
        self.cluster.look("delete")
        self.cluster.running = None
        return self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def body(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return document

    def manifest_in(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Take a manifest whole, as kubectl notes it in what it sends, also where that is a patch."""
        manifest: dict[str, Any] = json.loads(wish["metadata"]["annotations"][_APPLIED])
        return manifest

    def not_found(self) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        self.answer(404, status)

    def answer(self, status: int, document: object) -> None:
        self.reply(status, json.dumps(document).encode(), "application/json")

    def reply(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the test looks at what was taken."""
