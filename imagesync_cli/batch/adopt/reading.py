"""Tell what kind of file it is, and take over what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imagesync_cli.batch.adopt.adopted import Adopted
from imagesync_cli.batch.adopt.flux_mirror import flux_mirror, is_config
from imagesync_cli.batch.adopt.image_syncer import image_syncer, is_rules
from imagesync_cli.batch.adopt.manifests import compose, is_kustomization, kubernetes, kustomization
from imagesync_cli.batch.adopt.ocync import ocync
from imagesync_cli.batch.adopt.own import is_own, own
from imagesync_cli.batch.adopt.section import Misshapen, Section
from imagesync_cli.batch.adopt.state import is_state, state
from imagesync_cli.batch.adopt.syncs import dregsy, is_kpromo, is_skopeo, is_thin_kpromo, kpromo, regsync, skopeo
from imagesync_cli.batch.document import Fields, name_of, read_nodes
from imagesync_cli.batch.reading.prefix import parse_prefix
from imagesync_cli.values.errors import UsageError

_HINT = (
    "a regsync, skopeo sync, dregsy, image-syncer, ocync, flux-mirror or kpromo file, a Kubernetes manifest or "
    "kustomization, a compose file, a Terraform state, or with --as modules an images.yaml"
)


@dataclass(frozen=True)
class _Kind:
    """A kind of file: how its first document looks, and who reads it.

    Where it ``names_sources`` alone a target is needed. It may have variables, as images.yaml has them. One that
    ``has_shape`` is a list of rules: what is not understood must not widen them.
    """

    name: str
    fits: Callable[[Section], bool]
    read: Callable[[Section, Adopted], None]
    names_sources: bool = False
    has_variables: bool = False
    has_shape: bool = False


def adopt(path: Path, target: str = "") -> Adopted:
    """What the file says. ``target`` is a registry, or a path in one, for files that name only sources.

    UsageError for a file of none of the kinds, or that needs a target and has none.
    """
    nodes, name = read_nodes(path), name_of(path)
    if not nodes:
        raise UsageError(f"{name}: there is nothing in it", hint=_HINT)
    if target:
        parse_prefix(target)
    if any(map(is_thin_kpromo, nodes)):
        hint = "put it below images: in the promoter-manifest.yaml that goes with it"
        raise UsageError(f"{name} has the images of a kpromo manifest, and no registries", hint=hint)
    documents = [Section(node) for node in nodes if isinstance(node, Fields)]
    kind = next((kind for kind in _KINDS if documents and kind.fits(documents[0])), None)
    if kind is None:
        raise UsageError(f"{name} has no format that adopt can read", hint=_HINT)
    if kind.names_sources and not target:
        raise UsageError(f"{name} does not say where its images go", hint="say --to registry.example.com/mirror")
    adopted = Adopted(kind.name, target, kind.has_variables)
    if kind.has_shape:
        documents[0].exact = True
    try:
        for number, document in enumerate(documents):
            if number == 0 or kind.read is kubernetes:
                kind.read(document, adopted)
            else:
                adopted.note(document.line, "another document was left out")
    except Misshapen as error:
        raise UsageError(f"{name}:{error.line}: {error}", hint=f"it was read as a {kind.name} file") from error
    return adopted


def _has(*keys: str) -> Callable[[Section], bool]:
    return lambda top: set(keys) <= top.nodes.keys()


# The first that fits: those that are least alike others come first.
_KINDS = (
    _Kind("images.yaml", is_own, own, has_variables=True, has_shape=True),
    _Kind("kustomization", is_kustomization, kustomization, names_sources=True),
    _Kind("flux-mirror", is_config, flux_mirror, has_variables=True, has_shape=True),
    _Kind("Kubernetes", _has("apiVersion", "kind"), kubernetes, names_sources=True),
    _Kind("kpromo", is_kpromo, kpromo, has_shape=True),
    _Kind("Terraform state", is_state, state),
    _Kind("regsync", _has("sync"), regsync, has_variables=True, has_shape=True),
    _Kind("dregsy", _has("tasks"), dregsy, has_shape=True),
    _Kind("ocync", _has("mappings"), ocync, has_variables=True, has_shape=True),
    _Kind("compose", _has("services"), compose, names_sources=True),
    _Kind("skopeo sync", is_skopeo, skopeo, names_sources=True),
    _Kind("image-syncer", is_rules, image_syncer),
)
