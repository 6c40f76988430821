#!/bin/sh
# gpuhost on a machine where it is a service with a user of its own: every command runs as that user. Root starts nothing
# that this user could have changed; what only root can do is done here.
set -u

as_service() {
  if [ "$(id -un)" = gpuhost ]; then exec env GPUHOST_HOME=/var/lib/gpuhost /var/lib/gpuhost/program/current/gpuhost "$@"; fi
  [ "$(id -u)" -eq 0 ] || {
    echo 'gpuhost is a service of this machine: sudo gpuhost …' >&2
    exit 1
  }
  cd / || exit 1
  # Of root's own settings, only what is meant for it. (As arguments of env, everybody could read the token.)
  for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
    case $name in
      PATH | TERM | LANG | GPUHOST_TOKEN | GPUHOST_HUB | HF_TOKEN | HF_ENDPOINT) ;;
      *) unset "$name" 2>/dev/null ;;
    esac
  done
  export HOME=/var/lib/gpuhost GPUHOST_HOME=/var/lib/gpuhost
  exec runuser -u gpuhost -- /var/lib/gpuhost/program/current/gpuhost "$@"
}

needs_root() {
  [ "$(id -u)" -eq 0 ] || {
    echo "sudo gpuhost $1" >&2
    exit 1
  }
}

# The agent has ended; while its program and its token are still here, the hub hears that it will not be back.
tell_hub() {
  [ -x /var/lib/gpuhost/program/current/gpuhost ] || return 0
  (
    if [ -r /etc/gpuhost/environment ]; then
      set -a
      # shellcheck source=/dev/null
      . /etc/gpuhost/environment
      set +a
    fi
    as_service leave
  ) || true
}

remove_service() {
  systemctl disable --now gpuhost.service 2>/dev/null
  rm -f /etc/systemd/system/gpuhost.service
  systemctl daemon-reload
}

case ${1:-}\ ${2:-} in
  'start ')
    needs_root start
    exec systemctl start gpuhost.service
    ;;
  'service uninstall')
    needs_root 'service uninstall'
    remove_service
    echo 'The service is gone; install.sh brings it back.' >&2
    ;;
  'service install')
    echo 'Run install.sh of your hub again: it writes the service anew.' >&2
    exit 2
    ;;
  'uninstall --yes')
    needs_root 'uninstall --yes'
    remove_service
    tell_hub
    rm -rf /var/lib/gpuhost /etc/gpuhost /usr/local/lib/gpuhost
    if getent passwd gpuhost >/dev/null; then userdel gpuhost; fi
    rm -f /usr/local/bin/gpuhost
    echo 'gpuhost and everything it had here is gone.' >&2
    ;;
  *) as_service "$@" ;;
esac
