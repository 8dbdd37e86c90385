#!/bin/sh
# Write the images of images.yaml to a medium:  ./export.sh FOLDER
#
# The folder "images" beside this script is kept: the next time only what is new is fetched.
set -eu
medium=$(cd "${1:?which folder is the medium at?}" && pwd)
cd "$(dirname "$0")"

imagesync sync --file images.yaml
tar -cf "$medium/images.tar" -C images --exclude '.*' index.json oci-layout blobs
cd "$medium" && sha256sum images.tar >images.tar.sha256
