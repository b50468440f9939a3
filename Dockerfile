# The host side of Secateur: prunes, exports, measures on this machine, shows.
#   docker build -t secateur:cpu .
#   docker build --build-arg ON=cuda -t secateur:cuda .     # run it with --gpus all
# PIP_EXTRA_INDEX_URL may name PyTorch's index of CPU builds: pip's own torch brings CUDA (gigabytes).

ARG ON=cpu
ARG CPU_BASE=python:3.11.13-slim-bookworm
ARG CUDA_BASE=nvidia/cuda:12.8.1-base-ubuntu24.04

FROM ${CPU_BASE} AS base-cpu

FROM ${CUDA_BASE} AS base-cuda
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
# torch's wheel has the CUDA libraries in it, and the driver comes from the host.
# Ubuntu keeps no old versions to pin.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

# hadolint ignore=DL3006
FROM base-${ON} AS host
ARG PIP_EXTRA_INDEX_URL=
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/data \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SECATEUR_DATA=/data \
    SECATEUR_CONFIG=/data/config \
    SECATEUR_STORE=/data/results.sqlite \
    SECATEUR_CACHE=/cache \
    HF_HOME=/cache/huggingface
WORKDIR /app
RUN python3 -m venv /opt/venv
# The libraries first, without the rooms: a changed source does not install them anew.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN pip install -c constraints.txt '.[host,tui]' && pip uninstall -y secateur
COPY . .
RUN pip install --no-deps -e . \
    && useradd --create-home --uid 1000 --non-unique secateur \
    && mkdir -p bundles /data /cache \
    && chmod 1777 bundles /data /cache
USER 1000
VOLUME ["/app/bundles", "/data", "/cache"]
ENTRYPOINT ["secateur"]
CMD ["run", "recipes/demo.toml"]
