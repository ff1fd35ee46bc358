# Redis with the settings that the ledger needs, and the entrypoint that mends a torn append-only file.
ARG RUN_IMAGE=debian:bookworm-slim

FROM ${RUN_IMAGE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner=redis --group=redis /data
COPY deploy/redis.conf /etc/attributary/
COPY deploy/redis-entrypoint.sh /usr/local/bin/
USER redis
VOLUME /data
# Nothing reaches it but the containers beside it, and it has no password that protected mode could ask for.
ENTRYPOINT ["redis-entrypoint.sh", "/etc/attributary/redis.conf", "--dir", "/data", "--protected-mode", "no"]
HEALTHCHECK --interval=2s --timeout=3s --start-period=60s --retries=15 CMD ["sh", "-c", "redis-cli ping | grep -qx PONG"]
