#!/bin/sh
# Starts an application only on databases that are fit for it: launchd knows no order between jobs.
# Use: ProgramArguments = [holdfast-gate.sh, /path/of/application, arguments...]
set -eu

if [ "$#" -eq 0 ]; then
  echo "usage: holdfast-gate.sh PROGRAM [ARGUMENT...]" >&2
  exit 2
fi

/usr/local/bin/node /usr/local/lib/node_modules/holdfast/bin/holdfast recover --if-needed --data /usr/local/var/app --state /usr/local/var/holdfast --socket /usr/local/var/holdfast/run/holdfast.sock || {
  status=$?
  echo "holdfast-gate: the databases are not fit (exit $status); $1 is not started" >&2
  exit "$status"
}
exec "$@"
