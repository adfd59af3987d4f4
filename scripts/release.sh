#!/usr/bin/env bash
# `make release`: adds the protos, the chart and the stubs of other languages to the wheels and the image in dist/, and the checksums of all.
set -euo pipefail
cd "$(dirname "$0")/.."
name=registry-grpc-$1

# For generators of stubs: the files, and a descriptor set of all of them (`buf build` calls it an image).
tar --create --sort=name --mtime="@$SOURCE_DATE_EPOCH" --mode=u=rwX,go=rX --owner=0 --group=0 --numeric-owner \
    --transform "s,^,$name-protos/," LICENSE buf.yaml proto third_party/proto | gzip --no-name >"dist/$name-protos.tar.gz"
"$BIN/buf" build --output "dist/$name.binpb"

if [ -d deploy/chart ] && command -v helm >/dev/null; then
    helm package deploy/chart --version "$1" --app-version "$1" --destination dist
else
    echo "no chart: there is no helm, or no deploy/chart" >&2
fi
"$BIN/python" scripts/stubs.py --to dist
ls dist/*.oci.tar >/dev/null 2>&1 || echo "no image: there is no buildah" >&2

cd dist
sums=$(sha256sum -- *)
echo "$sums" | tee SHA256SUMS
