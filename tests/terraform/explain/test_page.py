"""What docs/how-to/review-a-plan.md shows and tells people to paste is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from imagesync_cli.terraform.explain.changes import KINDS
from tests.command import environment
from tests.repo.checkout import ROOT
from tests.terraform.explain.plans import HOST, PlanFile, digest, stored

PAGE = (ROOT / "docs/how-to/review-a-plan.md").read_text("utf-8")
IDS = {
    "redis": "1b5e598cdda9",
    "caddy": "7939d5f79349",
    "old": "e2c55cb431b2",
    "nginx": "166b44aad16e",
    "busybox": "7ac4890f5e68",
}
MB = 1_000_000


def on_the_page(text: str) -> str:
    """The text with the digests of the page in place of those that the test has made."""
    for name, short in IDS.items():
        text = text.replace(f"{digest(name)[:19]}", f"sha256:{short}")
    return text


def the_plan() -> PlanFile:
    """The plan that the page shows."""
    plan = PlanFile()
    for key, layers, size_bytes in (
        ("redis:7", 6, 16_900_000),
        ("caddy:2", 5, 21_400_000),
        ("nginx:1.27", 2, 3_100_000),
    ):
        name = key.partition(":")[0]
        after = stored(f"mirror/{key}", name, key=key)
        plan.image(key, after if name == "redis" else None, after)
        copy = {"layers": 7 if name == "nginx" else layers, "layers_to_copy": layers, "bytes_to_copy": size_bytes}
        present, source = "old" if name == "nginx" else "", f"docker.io/library/{key}"
        plan.read(key, f"mirror/{key}", name, present, copy=copy, reference=source)
    plan.image("nginx:1.27", stored("mirror/nginx:1.27", "old", key="nginx:1.27"), None)
    plan.image("busybox:1.35", stored("mirror/busybox:1.35", "busybox", key="busybox:1.35"), None)
    for address in ("kubernetes_deployment_v1.web", "aws_ecs_task_definition.web"):
        image = f"{HOST}/mirror/nginx@"
        plan.consumer(address, {"image": image + digest("old")}, {"image": image + digest("nginx")})
    for number in range(36):
        same = stored(f"mirror/{number}:1", f"n{number}", key=str(number))
        plan.image(str(number), same, same)
        plan.read(str(number), f"mirror/{number}:1", f"n{number}", f"n{number}")
    return plan


def test_what_it_prints() -> None:
    """The lines that the page shows are what the command prints."""
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert on_the_page(the_plan().written()) == shown


def test_every_word_is_explained() -> None:
    """The table has each kind once."""
    rows = re.findall(r"^\| ([a-z, ]+) \|", PAGE, re.MULTILINE)
    assert sorted(word for row in rows for word in row.split(", ")) == sorted(KINDS)


@pytest.mark.parametrize("heading", ["GitHub", "GitLab"])
def test_what_is_pasted(heading: str, tmp_path: Path) -> None:
    """The commands run, and the description of the status is the first line."""
    (tmp_path / "plan.json").write_text(the_plan().text())
    programs = {
        "terraform": f"cat {tmp_path}/plan.json",
        "imagesync": shlex.join([sys.executable, "-m", "imagesync_cli"]) + ' "$@"',
        **dict.fromkeys(("gh", "curl"), f'printf "%s\\n" "$@" >> {tmp_path}/given'),
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (pasted,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    names = {*re.findall(r"\$\{?([A-Z0-9_]+)", pasted)}
    given = environment(**dict.fromkeys(names, "1"))
    given["PATH"] = f"{tmp_path}:{given['PATH']}"
    subprocess.run(["bash", "-euo", "pipefail", "-c", pasted], cwd=tmp_path, env=given, check=True)
    summary = the_plan().explained()["summary"]
    assert f"description={summary}" in (tmp_path / "given").read_text().splitlines()
