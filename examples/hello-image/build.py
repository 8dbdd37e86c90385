"""Build the image that lies beside this file: one greeting for four platforms, as an OCI image layout.

    python3 examples/hello-image/build.py [FOLDER]

Every run of every Python writes the same bytes, so the digests in the documentation stay true and a test can
compare what is shipped with what this file says.  That is why the layers are plain tar: compressed bytes vary
with the version of zlib, and there is little here to compress.

There is no compiler either: each program is a handful of instructions, assembled by hand below.
It needs nothing but the standard library and does not know imagesync.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAG = "1.0"
CREATED = "2026-01-01T00:00:00Z"
ABOUT = "A greeting in four machine languages.\nIts source is examples/hello-image/build.py in imagesync.\n"

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

HEADER_SIZES = {32: 52 + 32, 64: 64 + 56}  # ELF header and one program header, by word size
LOAD_ADDRESS = 0x10000


@dataclass(frozen=True)
class Machine:
    """A platform, and what the ELF header says of it."""

    architecture: str
    variant: str
    word_bits: int
    elf_machine: int
    elf_flags: int

    @property
    def platform(self) -> dict[str, str]:
        named = {"architecture": self.architecture, "os": "linux", "variant": self.variant}
        return {key: value for key, value in named.items() if value}

    @property
    def name(self) -> str:
        return "/".join(filter(None, ("linux", self.architecture, self.variant)))


AMD64 = Machine("amd64", "", 64, 62, 0)
ARM64 = Machine("arm64", "", 64, 183, 0)
ARM_V7 = Machine("arm", "v7", 32, 40, 0x05000000)  # EABI 5
RISCV64 = Machine("riscv64", "", 64, 243, 0)
MACHINES = (AMD64, ARM64, ARM_V7, RISCV64)


# The programs: write(1, text, size) and exit(0), with the text right behind the last instruction.


def amd64_code(size: int) -> bytes:
    return b"".join(
        (
            b"\xb8\x01\x00\x00\x00",  # mov eax, 1          write
            b"\xbf\x01\x00\x00\x00",  # mov edi, 1          standard output
            b"\x48\x8d\x35" + struct.pack("<I", 16),  # lea rsi, [rip + 16]
            b"\xba" + struct.pack("<I", size),  # mov edx, size
            b"\x0f\x05",  # syscall
            b"\xb8\x3c\x00\x00\x00",  # mov eax, 60         exit
            b"\x31\xff",  # xor edi, edi
            b"\x0f\x05",  # syscall
        )
    )


def arm64_code(size: int) -> bytes:
    return _words(
        0xD2800020,  # mov x0, #1           standard output
        0x100000E1,  # adr x1, . + 28
        0xD2800002 | size << 5,  # mov x2, #size
        0xD2800808,  # mov x8, #64          write
        0xD4000001,  # svc #0
        0xD2800000,  # mov x0, #0
        0xD2800BA8,  # mov x8, #93          exit
        0xD4000001,  # svc #0
    )


def arm_code(size: int) -> bytes:
    return _words(
        0xE3A00001,  # mov r0, #1           standard output
        0xE28F1014,  # add r1, pc, #20      pc is two instructions ahead
        0xE3A02000 | size,  # mov r2, #size
        0xE3A07004,  # mov r7, #4           write
        0xEF000000,  # svc #0
        0xE3A00000,  # mov r0, #0
        0xE3A07001,  # mov r7, #1           exit
        0xEF000000,  # svc #0
    )


def riscv64_code(size: int) -> bytes:
    return _words(
        0x00100513,  # li a0, 1             standard output
        0x00000597,  # auipc a1, 0
        0x02058593,  # addi a1, a1, 32
        0x00000613 | size << 20,  # li a2, size
        0x04000893,  # li a7, 64            write
        0x00000073,  # ecall
        0x00000513,  # li a0, 0
        0x05D00893,  # li a7, 93            exit
        0x00000073,  # ecall
    )


CODE = {AMD64: amd64_code, ARM64: arm64_code, ARM_V7: arm_code, RISCV64: riscv64_code}


def _words(*instructions: int) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)


def greeting(machine: Machine) -> bytes:
    return f"Hello! I am the {machine.name} program of this image.\n".encode()


def program(machine: Machine) -> bytes:
    """Return a static executable that prints the greeting and ends."""
    text = greeting(machine)
    body = CODE[machine](len(text)) + text
    return _elf_headers(machine, len(body)) + body


def _elf_headers(machine: Machine, body_bytes: int) -> bytes:
    """Return an ELF header and one segment, readable and executable, that covers the whole file."""
    wide = machine.word_bits == 64
    headers = HEADER_SIZES[machine.word_bits]
    size = headers + body_bytes
    header_size, segment_size = (64, 56) if wide else (52, 32)
    identity = b"\x7fELF" + bytes((2 if wide else 1, 1, 1)) + bytes(9)  # word size, little endian, version
    header = struct.pack(
        "<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH",
        *(2, machine.elf_machine, 1),  # an executable, for this machine, version 1
        *(LOAD_ADDRESS + headers, header_size, 0),  # entry point, segments, no sections
        *(machine.elf_flags, header_size, segment_size, 1, 0, 0, 0),
    )
    load, readable, executable, page = 1, 4, 1, 0x1000
    flags = readable | executable
    if wide:
        segment = struct.pack("<IIQQQQQQ", load, flags, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, page)
    else:
        segment = struct.pack("<IIIIIIII", load, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, flags, page)
    return identity + header + segment


def tar_of(name: str, content: bytes, mode: int) -> bytes:
    """Return an archive of one file that belongs to root and is as old as the epoch."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


class Layout:
    """The files of an OCI image layout, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"})}

    def add(self, media_type: str, content: bytes) -> dict[str, Any]:
        """Keep one blob and return its descriptor."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.files[f"blobs/sha256/{sha256}"] = content
        return {"mediaType": media_type, "digest": f"sha256:{sha256}", "size": len(content)}

    def tag(self, descriptor: dict[str, Any], name: str) -> None:
        tagged = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [tagged]}
        self.files["index.json"] = _json(index)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def add_image(layout: Layout, machine: Machine) -> dict[str, Any]:
    """Add one platform's layers, configuration and manifest; return the manifest's descriptor."""
    archives = {
        "about.txt": tar_of("about.txt", ABOUT.encode(), 0o644),  # the same for every platform
        "hello": tar_of("hello", program(machine), 0o755),
    }
    layers = [layout.add(LAYER, archive) for archive in archives.values()]
    config = {
        "created": CREATED,
        **machine.platform,
        "config": {"Entrypoint": ["/hello"], "WorkingDir": "/", "User": "65532:65532"},
        "rootfs": {
            "type": "layers",
            "diff_ids": [layer["digest"] for layer in layers],
        },  # plain tar: the same
        "history": [{"created": CREATED, "created_by": f"build.py: /{name}"} for name in archives],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.add(CONFIG, _json(config)),
        "layers": layers,
    }
    return {**layout.add(MANIFEST, _json(manifest)), "platform": machine.platform}


def build() -> dict[str, bytes]:
    """Return every file of the layout: its path and its bytes."""
    layout = Layout()
    manifests = [add_image(layout, machine) for machine in MACHINES]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    layout.tag(layout.add(INDEX, _json(index)), TAG)
    return layout.files


def main(folder: Path) -> None:
    shutil.rmtree(folder / "blobs", ignore_errors=True)
    for name, content in build().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
