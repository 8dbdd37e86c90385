#!/usr/bin/env python3
"""Write a Homebrew formula and a Nix flake beside the one file of a release. Both install that file, by its checksum.

python3 packaging/recipes.py dist/imagesync.pyz

The file holds the dependencies that packaging/requirements.txt pins, so neither recipe names one.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

from reference.addresses import Addresses

ROOT = Path(__file__).parents[1]
ABOUT = "Mirror container images from Terraform, CI or by hand, with unchanged digests"
FORMULA = """\
class Imagesync < Formula
  desc "{about}"
  homepage "{home}"
  url "{url}"
  version "{version}"
  sha256 "{hex}"
  license "Apache-2.0"

  depends_on "python@3.13"

  def install
    libexec.install "imagesync.pyz"
    (bin/"imagesync").write <<~SH
      #!/bin/sh
      exec "#{{Formula["python@3.13"].opt_bin}}/python3.13" -I "#{{libexec}}/imagesync.pyz" "$@"
    SH
    generate_completions_from_executable(bin/"imagesync", shell_parameter_format: :click)
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/imagesync --version")
  end
end
"""
FLAKE = """\
{{
  description = "{about}";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = {{ self, nixpkgs }}: {{
    packages = nixpkgs.lib.genAttrs nixpkgs.lib.systems.flakeExposed (system:
      let pkgs = nixpkgs.legacyPackages.${{system}}; in {{
        default = pkgs.stdenvNoCC.mkDerivation {{
          pname = "imagesync";
          version = "{version}";
          src = pkgs.fetchurl {{
            url = "{url}";
            hash = "sha256-{base64}";
          }};
          dontUnpack = true;
          nativeBuildInputs = [ pkgs.makeWrapper ];
          installPhase = ''
            install -D $src $out/lib/imagesync.pyz
            makeWrapper ${{pkgs.python3}}/bin/python3 $out/bin/imagesync --add-flags "-I $out/lib/imagesync.pyz"
          '';
          meta = {{
            homepage = "{home}";
            license = pkgs.lib.licenses.asl20;
            mainProgram = "imagesync";
          }};
        }};
      }});
  }};
}}
"""


def recipes(zipapp: bytes, home: str, version: str) -> dict[str, str]:
    """The files by name."""
    digest = hashlib.sha256(zipapp).digest()
    values = {
        "about": ABOUT,
        "home": home,
        "url": f"{home}/releases/download/v{version}/imagesync.pyz",
        "version": version,
        "hex": digest.hex(),
        "base64": base64.b64encode(digest).decode(),
    }
    return {"imagesync.rb": FORMULA.format(**values), "flake.nix": FLAKE.format(**values)}


def main(zipapp: Path) -> None:
    of_this = Addresses(ROOT)
    for name, text in recipes(zipapp.read_bytes(), of_this.repository, of_this.version).items():
        (zipapp.parent / name).write_text(text, "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
