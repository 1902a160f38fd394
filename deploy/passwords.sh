#!/bin/sh
# New passwords for docker-compose.yml, in the form that it reads: deploy/passwords.sh > .env
set -eu
umask 077
for name in POSTGRES DISCOVERY PRIORITIZATION APPROVAL DEPLOYMENT REPORTING; do
  printf '%s_PASSWORD=%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
done
