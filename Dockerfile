# BotMaker's own image. Build it with `make image`: that puts the wheels into wheels/ first, so the
# build needs no network, and finds another base if python:3.13-slim can't be pulled.
# Without wheels/, `docker build .` downloads them itself. BuildKit isn't needed.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY controller/ controller/
COPY images/ images/
COPY edge/ edge/
# wheels/ may be absent: a pattern may match nothing, as long as COPY has one file that exists.
COPY requirements.txt wheel[s]/* wheels/
# The virtual environment has no pip, which the running image doesn't need: the base's installs.
RUN set -eu; \
    python3 -m venv --without-pip /opt/botmaker; \
    install() { python3 -m pip --python /opt/botmaker/bin/python --disable-pip-version-check \
        install --no-cache-dir --quiet "$@"; }; \
    if ls wheels/botmaker-*.whl >/dev/null 2>&1; then \
        install --no-index --find-links=wheels --require-hashes -r requirements.txt; \
        install --no-index --no-deps wheels/botmaker-*.whl; \
    else \
        install --require-hashes -r requirements.txt; \
        install --no-deps .; \
    fi; \
    /opt/botmaker/bin/botmaker --help >/dev/null

FROM ${BASE}
LABEL org.opencontainers.image.title="BotMaker" \
      org.opencontainers.image.description="A Discord bot that makes and runs other bots" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/botmaker /opt/botmaker
ENV PATH=/opt/botmaker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# Relative paths in settings (./data, ./secrets) start here; a mount usually covers it.
WORKDIR /var/lib/botmaker
RUN chown 10001:10001 . && chmod 0700 .
# Numeric, so that --user can be any uid without a line in /etc/passwd.
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s --retries=3 \
    CMD ["/bin/sh", "-c", "exec python3 -m controller.healthcheck \"${BOTMAKER_DATA_DIR:-data}\""]
STOPSIGNAL SIGTERM
ENTRYPOINT ["botmaker"]
CMD ["run"]
