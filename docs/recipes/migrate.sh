#!/bin/sh
# Migrates the database whose URL is in the file $1. Repeats what only needs patience.
set -eu

url_file=$1
attempt=1
while :; do
    code=0
    topchef-db upgrade --url-file "$url_file" \
        --wait "${WAIT:-60}" --lock-timeout "${LOCK_TIMEOUT:-300}" || code=$?
    case $code in
    0) exit 0 ;;
    3 | 4) ;; # not reachable, or another migrator is at work
    *) exit "$code" ;;
    esac
    [ "$attempt" -lt "${ATTEMPTS:-3}" ] || exit "$code"
    attempt=$((attempt + 1))
    sleep "${PAUSE:-30}"
done
