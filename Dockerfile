# imagesync in a container: no root, no shell needed, no writable root file system.
#
#   docker build -t imagesync .
#   docker run --rm --read-only imagesync resolve docker.io/library/busybox
#
# With your logins, which only you can read:
#   docker run --rm --read-only --user "$(id -u):$(id -g)" -v ~/.docker:/docker:ro imagesync …
#
# For HCP Terraform, an agent that has the command as well:
#   docker build --target terraform-agent -t terraform-agent .
#
# Pin the bases by digest for builds that are to be repeated, and name the commit for --version:
#   --build-arg PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm@sha256:…
#   --build-arg AGENT_IMAGE=docker.io/hashicorp/tfc-agent:latest@sha256:…
#   --build-arg SOURCE_COMMIT="$(git rev-parse HEAD)"

ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm
ARG AGENT_IMAGE=docker.io/hashicorp/tfc-agent:latest

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
# The venv has the same path in both stages: its scripts name their interpreter.
RUN python3 -m venv /opt/imagesync
COPY . .
ARG SOURCE_COMMIT=""
RUN /opt/imagesync/bin/pip wheel --no-deps --wheel-dir /wheels .
# Compiled here, because nothing can be written where it runs.
RUN /opt/imagesync/bin/pip install --no-deps --require-hashes --requirement packaging/requirements.txt \
 && /opt/imagesync/bin/pip install --no-deps /wheels/*.whl \
 && /opt/imagesync/bin/python3 -m compileall -q /opt/imagesync/lib

FROM build AS zipapp
ARG SOURCE_COMMIT=""
RUN /opt/imagesync/bin/python3 packaging/zipapp.py /imagesync.pyz

# One file, because the agent's image has a Python of its own, or gets one here.
FROM ${AGENT_IMAGE} AS terraform-agent
USER root
RUN command -v python3 || (apt-get update && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*)
COPY --from=zipapp /imagesync.pyz /usr/local/bin/imagesync
USER tfc-agent

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
