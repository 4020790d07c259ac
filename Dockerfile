# The host with the scripts and plugins of this repository. Another project puts its own into
# /srv/host, or mounts them there; examples/hogwarts has a compose file and one for Kubernetes.
#   docker build -t hogwarts/host .
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY dev ./
RUN ./dev setup build
COPY . ./
RUN ./dev build && strip --strip-debug -o /host build/release/bin/host

FROM debian:bookworm-slim
# What the binary is linked with or loads, and the authorities that sign certificates of brokers and databases.
RUN apt-get update && apt-get install -y --no-install-recommends \
      ca-certificates liblz4-1 libmimalloc2.0 libpq5 libprometheus-cpp-core1.0 librdkafka1 \
      libsimdjson14 libsoci-core4.0 libsoci-postgresql4.0 libsoci-sqlite3-4.0 libspdlog1.10 \
      libsqlite3-0 libssl3 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --user-group --no-create-home --home-dir /srv/host \
      --shell /usr/sbin/nologin host \
  && install -d -o host -g host /data
COPY --from=build /host /usr/local/bin/host
COPY scripts /srv/host/scripts
COPY plugins /srv/host/plugins
# The embedded log and store are in /data: give it a volume. On Kafka and PostgreSQL nothing is kept.
ENV HOST_ROOT=/srv/host HOST_DATA=/data HOST_LISTEN=0.0.0.0:8080
WORKDIR /srv/host
USER 10001:10001
EXPOSE 8080 8081
# Without TLS on the listener; with it, switch this off and let the platform ask.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD [ \
  "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${HOST_LISTEN##*:} && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]" ]
ENTRYPOINT ["host"]
CMD ["--help"]
