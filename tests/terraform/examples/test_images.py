"""examples/one-image and examples/many-images, applied as they are shipped."""

from __future__ import annotations

from tests.embedded_registry.images import Image, image
from tests.remote_repository import RemoteRepository
from tests.terraform.examples.internet import DOCKER_HUB, Internet
from tests.terraform.workspace import Workspace

PAUSE = image("pause")


def test_one_image(online: Workspace, internet: Internet, own: str, old: Image, new: Image) -> None:
    """Docker Hub's image arrives whole under its digest, known at plan; it follows its tag; a destroy removes it."""
    hub, mirror = internet.repository(DOCKER_HUB, "library/busybox"), RemoteRepository(own, "mirror/busybox")
    hub.push(old, "1.36")
    example = online.inside("examples", "one-image")
    example.set(registry=own)
    assert mirror.digest("1.36") is None
    example.plan()
    assert example.planned()["planned_values"]["outputs"]["busybox"]["value"] == f"{mirror}@{old.digest}"
    example.succeeding("apply", "plan.bin")
    assert example.outputs() == {"busybox": f"{mirror}@{old.digest}"}
    assert (mirror.digest("1.36"), mirror.holds(old)) == (old.digest, True)
    assert example.plan().code == 0

    hub.push(new, "1.36")
    example.apply()
    assert (mirror.digest("1.36"), mirror.holds(new), mirror.digest(old.digest)) == (new.digest, True, None)
    example.destroy()
    assert (mirror.digest("1.36"), mirror.digest(new.digest)) == (None, None)
    assert hub.holds(new)


def test_many_images(online: Workspace, internet: Internet, own: str, old: Image, new: Image) -> None:
    """Images of three registries arrive; what one replaces stays; without the internet a plan changes nothing."""
    sources = {
        "busybox:1.36": internet.repository(DOCKER_HUB, "library/busybox"),
        "pause:3.10": internet.repository("registry.k8s.io", "pause"),
        "prometheus:latest": internet.repository("quay.io", "prometheus/prometheus"),
    }
    images = dict(zip(sources, (old, PAUSE, old), strict=True))
    mirrors = {name: RemoteRepository(own, f"mirror/{name.partition(':')[0]}") for name in sources}
    for name, source in sources.items():
        source.push(images[name], name.partition(":")[2])
    example = online.inside("examples", "many-images")
    example.set(mirror=f"{own}/mirror")
    example.apply()
    assert example.outputs()["ids"] == {name: f"{mirrors[name]}@{images[name].digest}" for name in sources}
    assert all(mirrors[name].holds(images[name]) for name in sources)
    assert example.plan().code == 0

    sources["prometheus:latest"].push(new, "latest")
    example.apply()
    prometheus = mirrors["prometheus:latest"]
    assert (prometheus.digest("latest"), prometheus.holds(new), prometheus.holds(old)) == (new.digest, True, True)
    assert mirrors["busybox:1.36"].digest("1.36") == old.digest

    internet.close()
    offline = example.plan()
    assert (offline.code, "Warning" in offline.text) == (0, True)
