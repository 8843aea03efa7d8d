# The base is pinned by tag alone. For a build that cannot change, look up the tag's digest and write
#   --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim

# ---- build: the environment, from hash-checked wheels alone -------------------------------------------------------
FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --require-hashes --only-binary :all: -r requirements.lock
# Same layout as a clone: bot/, config/ and migrations/ beside each other.
COPY pyproject.toml README.md ./
COPY bot/ bot/
RUN /opt/venv/bin/python -m pip install --no-deps --no-build-isolation -e . \
    && /opt/venv/bin/python -m pip uninstall --yes setuptools pip \
    && /opt/venv/bin/python -m compileall -q bot \
    && rm -rf carrybot.egg-info build
COPY config/ config/
COPY migrations/ migrations/

# ---- final: no compiler, no installer in the environment, no root -------------------------------------------------
FROM ${PYTHON_IMAGE} AS final
LABEL org.opencontainers.image.title="carrybot" \
      org.opencontainers.image.description="Earns perpetual-swap funding without price risk"
RUN groupadd --gid 10001 carrybot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin carrybot \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# The shipped files, for a start without a mounted folder.
COPY config/ /config/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CARRYBOT_DATA=/data \
    CARRYBOT_HEALTH__PORT=8470
WORKDIR /app
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8470
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['CARRYBOT_HEALTH__PORT'] + '/readyz', timeout=4)"]
ENTRYPOINT ["carrybot"]
CMD ["run", "-c", "/config/live.yaml"]
