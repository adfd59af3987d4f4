#!/usr/bin/env bash
# `make image`: builds the image and its bill of materials into dist/, with buildah and without Docker. The wheels are there.
#   BASE=…        another base image than that of the Dockerfile
#   BASE=debian   a base made of Debian's packages (as root, with mmdebstrap), also if the Dockerfile's cannot be pulled
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
: "${SOURCE_DATE_EPOCH:?the time of all files of the image, in seconds}"
storage=${XDG_CACHE_HOME:-$HOME/.cache}/registry-grpc/images
export BUILDAH_ISOLATION=chroot # works in containers too
buildah() { command buildah --root "$storage" --runroot "$storage/run" --storage-driver vfs "$@"; }

debian_base() { # Debian with all updates, made again each week and when this file changes
    local suite=trixie made
    made=localhost/registry-grpc-base:$suite-$(date +%G-%V)-$(sha256sum deploy/image.sh | cut -c 1-8)
    if ! buildah inspect --type image "$made" >/dev/null 2>&1; then
        local old container folder
        old=$(buildah images --quiet --filter reference=localhost/registry-grpc-base)
        [ -z "$old" ] || buildah rmi --force $old >&2
        container=$(buildah from scratch)
        folder=$(buildah mount "$container")
        # In a namespace of its own: if it is killed, no mounts of this machine's /dev stay behind in /tmp.
        unshare --mount --propagation private mmdebstrap --quiet --mode=root --variant=essential \
            --include=ca-certificates,libstdc++6,python3,python3-venv \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --customize-hook='find "$1/usr" -name __pycache__ -exec rm -r {} +' \
            "$suite" - http://deb.debian.org/debian \
            "deb http://deb.debian.org/debian $suite-updates main" \
            "deb http://deb.debian.org/debian-security $suite-security main" | tar -xC "$folder"
        buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
        buildah commit --quiet --rm --timestamp "$SOURCE_DATE_EPOCH" "$container" "$made" >&2
    fi
    echo "$made"
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
base=${BASE:-$(sed -n 's/^ARG BASE=//p' deploy/Dockerfile)}
if [ -z "${BASE:-}" ] && ! buildah pull --quiet "$base" >/dev/null 2>&1; then
    echo "$base cannot be pulled: the base is made of Debian's packages instead" >&2
    base=debian
fi
if [ "$base" = debian ]; then base=$(debian_base); fi

image=localhost/registry-grpc:$version
# pip in there connects by the certificates that this machine trusts.
buildah bud --quiet --file deploy/Dockerfile --ignorefile deploy/Dockerfile.dockerignore --tag "$image" \
    --layers=false --timestamp "$SOURCE_DATE_EPOCH" --volume /etc/ssl/certs:/etc/ssl/certs:ro \
    --build-arg "BASE=$base" --build-arg "VERSION=$version" . >/dev/null

out=dist/registry-grpc-$version-image
container=$(buildah from "$image")
buildah run "$container" cat /app/sbom.cdx.json >"$out.cdx.json"
buildah rm "$container" >/dev/null
layout=$(mktemp -d)
trap 'rm -r "$layout"' EXIT
buildah push --quiet --digestfile "$layout.digest" "$image" "oci:$layout:$version"
tar --create --file "$out.oci.tar" --directory "$layout" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --mode=u=rwX,go=rX \
    --owner=0 --group=0 --numeric-owner .
echo "$out.oci.tar $(cat "$layout.digest")"
rm "$layout.digest"
buildah rmi --prune >/dev/null 2>&1 || true # the image that had the name before, if nobody uses it
