#!/usr/bin/env bash
# Install the Debian packages Temper needs beyond Python and make, where they are missing and we may.
# Tests of the browser without Chromium and of PostgreSQL without its server skip and say so; the rest is needed.
set -uo pipefail
python="${PYTHON:-python3}"
missing=()
"$python" -c "import ensurepip" 2>/dev/null || missing+=(python3-venv)
ldconfig="$(command -v ldconfig || echo /sbin/ldconfig)"
"$ldconfig" -p 2>/dev/null | grep -q "libgomp\.so\.1" || missing+=(libgomp1) # OpenMP, for lightgbm and catboost
if compgen -G "tests/browser/test_*.py" >/dev/null; then
  command -v chromium >/dev/null || missing+=(chromium)
fi
compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || missing+=(postgresql) # the tests start a server of their own
if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
elif [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing and not installed, for want of root or apt: ${missing[*]}"
else
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}" ||
    echo "could not install: ${missing[*]}"
fi
exit 0
