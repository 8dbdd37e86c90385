# imagesync in a container: no root, no shell needed, no writable root file system.
#
#   docker build -t imagesync .
#   docker run --rm --read-only imagesync resolve docker.io/library/busybox
#
# With your logins, which only you can read:
#   docker run --rm --read-only --user "$(id -u):$(id -g)" -v ~/.docker:/docker:ro imagesync …
#
# Pin the base by digest for builds that are to be repeated:
#   --build-arg PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm@sha256:…

ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
# The venv has the same path in both stages: its scripts name their interpreter.
RUN python3 -m venv /opt/imagesync
COPY . .
RUN /opt/imagesync/bin/pip wheel --no-deps --wheel-dir /wheels .
# Compiled here, because nothing can be written where it runs.
RUN /opt/imagesync/bin/pip install /wheels/*.whl \
 && /opt/imagesync/bin/python3 -m compileall -q /opt/imagesync/lib

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/imagesync /opt/imagesync
ENV PATH=/opt/imagesync/bin:$PATH \
    DOCKER_CONFIG=/docker \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that a cluster can tell that it is not root; no such user needs to exist.
USER 65532:65532
WORKDIR /images
ENTRYPOINT ["imagesync"]
CMD ["--help"]
