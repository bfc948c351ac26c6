# syntax=docker/dockerfile:1
# The gateway's image: built with Swift, its runtime inside; run on Debian with the shared libraries that it links, as a
# user without rights. Works with a read-only root: only /var/lib/taxlien-gateway is written, and only by raw files.
# scripts/check-image replays the steps without a container engine and reads the packages from here.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libhiredis-dev libpq-dev libssl-dev liburing-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What `gateway --version` and gateway_build_info tell.
ARG COMMIT=unknown
RUN sed -i "s/static let commit = \"unknown\"/static let commit = \"${COMMIT}\"/" Sources/Gateway/App/Main.swift
# The folder of the build is a cache, so the program leaves it in the same step.
RUN --mount=type=cache,target=/src/.build,sharing=locked \
    swift build --configuration release --product gateway --static-swift-stdlib \
    && install -D --mode=755 .build/release/gateway /out/gateway \
    && strip /out/gateway

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libhiredis0.14 libpq5 libssl3 liburing2 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway \
    && install -d --owner=gateway --group=gateway --mode=750 /var/lib/taxlien-gateway /var/lib/taxlien-gateway/raw
COPY --from=build /out/gateway /usr/local/bin/gateway
LABEL org.opencontainers.image.title="taxlien-gateway" \
    org.opencontainers.image.description="A gateway for worker fleets: tasks out, results in"
USER 10001:10001
WORKDIR /var/lib/taxlien-gateway
VOLUME /var/lib/taxlien-gateway/raw
EXPOSE 8081
STOPSIGNAL SIGTERM
# The configuration of the container says where it listens; no curl in the image.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --start-interval=1s --retries=3 CMD ["gateway", "health"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
