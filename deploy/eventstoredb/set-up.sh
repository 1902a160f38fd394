#!/bin/sh
# Gives Patchtrail a user of its own in EventStoreDB, and lets it read $all. Run it once, from the
# root of a built Patchtrail; run again, it changes nothing but reports the user as taken.
#
#   EVENTSTOREDB_HOST        host:port of a node, such as db.example:2113
#   EVENTSTOREDB_CA_FILE     certificate of the authority that vouches for it
#   EVENTSTOREDB_ADMIN_USER  an administrator; admin by default
#   EVENTSTOREDB_ADMIN_PASSWORD
#   PATCHTRAIL_USER          login name of the user to create; patchtrail by default
#   PATCHTRAIL_PASSWORD      its password
#
# The password of the administrator must be free of " and \ and of what a URL gives a meaning.
set -eu
: "${EVENTSTOREDB_HOST:?must be host:port}"
: "${EVENTSTOREDB_CA_FILE:?must be a file}"
: "${EVENTSTOREDB_ADMIN_PASSWORD:?must be set}"
: "${PATCHTRAIL_PASSWORD:?must be set}"
admin="${EVENTSTOREDB_ADMIN_USER:-admin}"
user="${PATCHTRAIL_USER:-patchtrail}"
case "$user$PATCHTRAIL_PASSWORD" in
*[\"\\]*) echo 'PATCHTRAIL_USER and PATCHTRAIL_PASSWORD must be free of " and \' >&2; exit 1 ;;
esac

# Secrets go through standard input: a command line can be seen by everybody on the host.
status=$(
  printf 'user = "%s:%s"\ndata = "{\\"LoginName\\":\\"%s\\",\\"FullName\\":\\"Patchtrail\\",\\"Groups\\":[],\\"Password\\":\\"%s\\"}"\n' \
    "$admin" "$EVENTSTOREDB_ADMIN_PASSWORD" "$user" "$PATCHTRAIL_PASSWORD" |
    curl --config - --silent --show-error --max-time 30 --output /dev/null \
      --write-out '%{http_code}' --cacert "$EVENTSTOREDB_CA_FILE" \
      --header 'Content-Type: application/json' "https://$EVENTSTOREDB_HOST/users/"
)
case "$status" in
201) echo "created the user $user" ;;
409) echo "the user $user is there already; its password was left as it is" ;;
*) echo "the server answered $status to the creation of the user $user" >&2; exit 1 ;;
esac

EVENTSTOREDB_ADMIN_URL="esdb://$admin:$EVENTSTOREDB_ADMIN_PASSWORD@$EVENTSTOREDB_HOST?tls=true&tlsCaFile=$EVENTSTOREDB_CA_FILE" \
  node libs/event-store/dist/eventstoredb/grant-cli.js "$user"
