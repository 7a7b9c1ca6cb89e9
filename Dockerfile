# Upkeeper as an image: docker build --tag upkeeper .
# BASE: any with Python 3.11 or later, and pip and venv for the first stage; to be reproducible, by its digest.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
# --no-index --find-links packaging/wheels, where there is no network.
ARG PIP_OPTIONS=""
ARG SOURCE_DATE_EPOCH=0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements requirements
COPY packaging packaging
# As locked, by their hashes. pip and what only builds are not needed any more.
RUN python3 -m venv /opt/upkeeper \
    && /opt/upkeeper/bin/pip install --no-compile $PIP_OPTIONS --require-hashes --no-deps -r requirements/runtime.lock
COPY . .
RUN /opt/upkeeper/bin/pip install --no-compile $PIP_OPTIONS --no-deps --no-build-isolation . \
    && /opt/upkeeper/bin/pip uninstall --quiet --yes hatchling editables pip \
    && install -m 755 packaging/image/healthy /opt/upkeeper/bin/healthy \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/upkeeper/lib \
    && find /opt/upkeeper -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM ${BASE}
LABEL org.opencontainers.image.title="Upkeeper" \
      org.opencontainers.image.description="Prometheus exporter and Alertmanager-driven remediation" \
      org.opencontainers.image.licenses="Apache-2.0"
# A user that no system has, and the directories of its state, which a volume takes over with their owner.
RUN echo 'upkeeper:x:10746:10746::/var/lib/upkeeper:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'upkeeper:x:10746:' >>/etc/group \
    && install -d -m 700 -o 10746 -g 10746 /var/lib/upkeeper /var/lib/upkeeper/drill /var/lib/upkeeper/tokens
COPY --from=build /opt/upkeeper /opt/upkeeper
ENV PATH=/opt/upkeeper/bin:$PATH UPKEEPER_STATE_DIR=/var/lib/upkeeper PYTHONDONTWRITEBYTECODE=1
USER 10746:10746
WORKDIR /var/lib/upkeeper
EXPOSE 10746 10747
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["healthy"]
ENTRYPOINT ["upkeeper"]
# Only as far as the container's own network: what publishes a port decides who may ask.
CMD ["exporter", "--listen", "0.0.0.0:10746"]
