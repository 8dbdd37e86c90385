"""examples/air-gap: its README's commands, on two sides that never see each other."""

from __future__ import annotations

import shutil

from tests.embedded_registry.images import Image, image
from tests.remote_repository import RemoteRepository
from tests.terraform.examples.internet import DOCKER_HUB, Internet
from tests.terraform.examples.pages import commands
from tests.terraform.workspace import Workspace

PAUSE = image("pause")
UNATTENDED = {"TF_CLI_ARGS_init": "-no-color", "TF_CLI_ARGS_apply": "-auto-approve -no-color"}


def test_two_sides(checkout: Workspace, internet: Internet, own: str, old: Image, new: Image) -> None:
    """What the medium brings arrives whole; the next time what has moved changes; plans in between need no medium."""
    busybox, pause = RemoteRepository(own, "mirror/busybox"), RemoteRepository(own, "mirror/pause")
    hub = internet.repository(DOCKER_HUB, "library/busybox")
    hub.push(old, "1.36")
    internet.repository("registry.k8s.io", "pause").push(PAUSE, "3.10")
    desk = checkout.inside("examples", "air-gap")
    outside, inside = (on_either_side(block, desk, own) for block in commands(desk))
    medium, pocket = desk.folder / "usb", desk.folder / "pocket"
    medium.mkdir()

    desk.with_environment(internet.environment).shell(outside)
    assert sorted(path.name for path in medium.iterdir()) == ["images.tar", "images.tar.sha256"]
    assert (busybox.digest("1.36"), pause.digest("3.10")) == (None, None)  # nothing has crossed by itself
    desk.shell(inside, **UNATTENDED)  # here the internet's names lead nowhere
    assert (busybox.digest("1.36"), pause.digest("3.10")) == (old.digest, PAUSE.digest)
    assert busybox.holds(old)
    assert pause.holds(PAUSE)

    medium.rename(pocket)
    behind = desk.inside("inside")
    behind.set(archive=f"{medium}/images.tar", mirror=f"{own}/mirror")
    without = behind.plan()
    assert (without.code, "there is no file" in without.text) == (0, True)
    pocket.rename(medium)

    hub.push(new, "1.36")
    desk.with_environment(internet.environment).shell(outside)
    internet.close()
    shutil.rmtree(desk.folder / "outside")
    desk.shell(inside, **UNATTENDED)
    assert (busybox.digest("1.36"), pause.digest("3.10")) == (new.digest, PAUSE.digest)
    assert (busybox.holds(new), busybox.digest(old.digest)) == (True, None)
    assert behind.plan().code == 0


def on_either_side(commands_of_the_page: str, desk: Workspace, own: str) -> str:
    """Say where the medium and the registry behind the gap are on this machine."""
    here = commands_of_the_page.replace("/media/usb", f"{desk.folder}/usb")
    return here.replace("registry.inside.example", own)
