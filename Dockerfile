# One static binary in an empty image, run by nobody in particular.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags nomsgpack -ldflags '-s -w' -o /out/safeconduct ./cmd/safeconduct \
 && mkdir -p /out/data && chmod 0700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/safeconduct /safeconduct
COPY --from=build --chown=65532:65532 /out/data /var/lib/safeconduct
USER 65532:65532
ENV SAFECONDUCT_DATA_DIR=/var/lib/safeconduct \
    SAFECONDUCT_SERVER_LISTEN=0.0.0.0:8080
VOLUME /var/lib/safeconduct
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/safeconduct", "healthcheck"]
ENTRYPOINT ["/safeconduct"]
CMD ["serve"]
