#!/bin/sh
# Takes the database whose URL is in the file $1 back to revision $2.
# ACCEPT_DATA_LOSS=yes goes on although rows or values are lost.
set -eu

exec topchef-db downgrade "$2" --url-file "$1" --yes ${ACCEPT_DATA_LOSS:+--accept-data-loss}
