#!/bin/sh
# Installs gpuhost, the program by which a machine with a GPU serves a gpuhub, or brings it up to date.
#
#   curl -fsSL https://HUB/install.sh | sh                      # asks nothing, opens no port
#   curl -fsSL https://HUB/install.sh | sh -s -- --dry-run      # says what it would do
#   curl -fsSL https://HUB/install.sh | GPUHOST_TOKEN=gph_… sh -s -- -- --model ID     # and serves, unattended
#
# What is downloaded is described by a manifest that was signed offline; nothing else is installed. Everything is in
# functions and begins in the last line: of a file that did not arrive whole, nothing is done.
set -eu

HUB='@HUB@'
KEYS='@KEYS@'

usage() {
  cat <<'END'
install.sh [--user | --system] [--dry-run] [--uninstall] [--hub URL] [--token-stdin] [-- START…]

  --user         for this user only, in ~/.gpuhost; no root, no systemd needed (Vast.ai, RunPod, containers)
  --system       for the machine: a user and a service of its own; needs root and systemd
                 (without either: --system where root and systemd are there, else --user)
  --dry-run      say what would be done, and do nothing
  --uninstall    stop, and remove everything, weights included
  --hub URL      the hub [default: the one this file came from]
  --token-stdin  read a host token from the first line of the standard input; or set GPUHOST_TOKEN
  -- START…      with a token: install a service that runs `gpuhost start START…`, e.g. -- --model Qwen/Qwen3-8B
END
}

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "install.sh: $1"
  exit "${2:-1}"
}
has() { command -v "$1" >/dev/null 2>&1; }

# Unfilled, in the repository: then the keys lie beside it.
template() { case $KEYS in @*) true ;; *) false ;; esac }

read_arguments() {
  mode='' action=install dry='' token_stdin=''
  template && HUB=''
  while [ $# -gt 0 ]; do
    case $1 in
      --user) mode=user ;;
      --system) mode=system ;;
      --dry-run) dry=1 ;;
      --uninstall) action=uninstall ;;
      --token-stdin) token_stdin=1 ;;
      --hub)
        [ $# -ge 2 ] || fail '--hub needs a URL' 2
        HUB=$2
        shift
        ;;
      --help | -h)
        usage
        exit 0
        ;;
      --)
        shift
        break
        ;;
      --token | --token=*) fail 'others can read arguments: set GPUHOST_TOKEN, or use --token-stdin' 2 ;;
      *)
        usage >&2
        fail "$1 is not known" 2
        ;;
    esac
    shift
  done
  start_words=$#
  if [ -n "$token_stdin" ]; then
    IFS= read -r GPUHOST_TOKEN || [ -n "$GPUHOST_TOKEN" ] || fail 'the standard input has no token' 2
  fi
  # For the one command that needs it, and for no other child of this script.
  token=${GPUHOST_TOKEN:-}
  unset GPUHOST_TOKEN
}

# ── where it goes ────────────────────────────────────────────────────────────────────────────────────────────────────

with_systemd() { [ -d /run/systemd/system ] && has systemctl; }

choose_mode() {
  if [ -z "$mode" ]; then
    mode=user
    if [ "$(id -u)" -eq 0 ] && with_systemd; then mode=system; fi
  fi
  if [ "$mode" = system ]; then
    home=/var/lib/gpuhost
    [ -n "$dry" ] || [ "$(id -u)" -eq 0 ] || fail 'run it as root for --system, or use --user'
    [ -n "$dry" ] || with_systemd || fail 'there is no systemd here: use --user'
  else
    [ -n "${HOME:-}" ] || fail 'HOME is not set'
    home=${GPUHOST_HOME:-$HOME/.gpuhost}
  fi
  program=$home/program
}

# ── what can be installed here ───────────────────────────────────────────────────────────────────────────────────────

check_machine() {
  [ "$(uname -s)" = Linux ] || fail 'gpuhost runs on Linux only' 3
  case $(uname -m) in
    x86_64 | amd64)
      target=linux-x64
      grep -qw avx2 /proc/cpuinfo 2>/dev/null || target=linux-x64-baseline
      ;;
    aarch64 | arm64) target=linux-arm64 ;;
    *) fail "there is no gpuhost for $(uname -m)" 3 ;;
  esac
  if has ldd && ldd --version 2>&1 | grep -qi musl; then fail 'gpuhost needs glibc: Debian 12, Ubuntu 22.04 or newer' 3; fi
  for tool in gzip sha256sum sed mktemp readlink sort; do has "$tool" || fail "$tool is missing: install it first" 3; done
  has curl || has wget || fail 'curl or wget is missing: apt-get install -y curl ca-certificates' 3
}

check_hub() {
  HUB=${HUB%/}
  [ -n "$HUB" ] || fail '--hub URL is missing' 2
  case $HUB in
    https://*) ;;
    http://127.0.0.1* | http://localhost* | 'http://[::1]'*) ;;
    http://*) say "The line to $HUB is not encrypted. The signature protects what is installed; a token would not be." ;;
    *) fail "$HUB is not a hub's address; write it like https://hub.example" 2 ;;
  esac
  if template; then KEYS=$(sed -e 's/#.*//' "$(dirname -- "$0")/release-keys.txt" 2>/dev/null | tr -s ' \n' ' '); fi
}

# fetch URL FILE MOST_BYTES: whatever is redirected to must be encrypted if this was.
fetch() {
  case $1 in https://*) protocols='=https' ;; *) protocols='=http,https' ;; esac
  if has curl; then
    curl -fsSL --proto "$protocols" --proto-redir "$protocols" --tlsv1.2 --retry 3 --max-filesize "$3" -C - -o "$2" "$1" && return
  else
    wget -q -c -O "$2" "$1" && return
  fi
  fail "$1 cannot be fetched"
}

# ── the manifest ─────────────────────────────────────────────────────────────────────────────────────────────────────

can_verify() { has openssl && openssl pkeyutl -help 2>&1 | grep -q -- -rawin; }

# Any signature by any key will do: the current and the next one are in use side by side.
is_signed() {
  while IFS= read -r line; do
    printf '%s' "$line" | openssl base64 -d -A >"$work/signature" 2>/dev/null || continue
    for key in $KEYS; do
      printf '%s\n' '-----BEGIN PUBLIC KEY-----' "MCowBQYDK2VwAyEA$key" '-----END PUBLIC KEY-----' >"$work/key.pem"
      openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/manifest" -sigfile "$work/signature" \
        >/dev/null 2>&1 && return 0
    done
  done <"$work/signatures"
  return 1
}

number() { sed -n "s/^  \"$1\": \([0-9]\{1,16\}\),\{0,1\}\$/\1/p" "$work/manifest"; }
artifact() { sed -n "/\"target\": \"$target\"/,/}/s/^ *\"$1\": \"\{0,1\}\([a-z0-9._-]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$work/manifest"; }

read_manifest() {
  fetch "$HUB/download/gpuhost.json" "$work/manifest" 65536
  if can_verify; then
    fetch "$HUB/download/gpuhost.json.sig" "$work/signatures" 2048
    is_signed || fail "the release at $HUB is not signed by a key of this script; nothing was installed"
  else
    case $HUB in
      https://* | http://127.0.0.1* | http://localhost*) say 'openssl 3 is missing: the signature is not checked, only the checksum that came over this line.' ;;
      *) fail 'openssl 3 is missing, and the line is not encrypted: apt-get install -y openssl' ;;
    esac
  fi
  grep -q '^  "product": "gpuhost",$' "$work/manifest" || fail "$HUB does not offer gpuhost"
  grep -q '^  "needs": \[\],$' "$work/manifest" || fail "this release needs a newer install.sh: fetch it from $HUB again"
  expires=$(number expiresAt)
  [ -n "$expires" ] || fail "the release at $HUB cannot be read"
  [ "$(date +%s)" -lt "$((expires / 1000))" ] || fail 'this release has expired. Is the clock of this machine right?'
  version=$(sed -n 's/^  "version": "\([0-9]\{1,6\}\.[0-9]\{1,6\}\.[0-9]\{1,6\}\)",$/\1/p' "$work/manifest")
  file=$(artifact file) bytes=$(artifact bytes) sha256=$(artifact sha256)
  [ -n "$version" ] || fail "the release at $HUB cannot be read"
  if [ -z "$file" ] || [ -z "$bytes" ] || [ ${#sha256} -ne 64 ]; then fail "there is no gpuhost $version for $target"; fi
}

fetch_program() {
  say "Fetching gpuhost $version for $target ($((bytes / 1000000)) MB)"
  fetch "$HUB/download/$version/$file" "$work/packed" "$bytes"
  [ "$(wc -c <"$work/packed")" -eq "$bytes" ] || fail 'the download has another size than was signed; nothing was installed'
  printf '%s  %s\n' "$sha256" "$work/packed" | sha256sum -c --status || fail 'the download is not what was signed; nothing was installed'
  gzip -dc "$work/packed" >"$work/gpuhost"
  rm -f "$work/packed"
  chmod 755 "$work/gpuhost"
  "$work/gpuhost" self-test >/dev/null || fail "gpuhost $version does not work on this machine (may programs run in ${TMPDIR:-/tmp}? else set TMPDIR); nothing was installed"
}

# ── putting it in its place ──────────────────────────────────────────────────────────────────────────────────────────

installed_version() { basename "$(readlink "$program/current" 2>/dev/null || true)"; }

# True where what is there is as new, or newer.
up_to_date() {
  have=$(installed_version)
  [ -n "$have" ] && [ -x "$program/current/gpuhost" ] &&
    [ "$(printf '%s\n%s\n' "$version" "$have" | sort -V | tail -n 1)" = "$have" ]
}

# Runs as whoever owns the folder, whatever that user may have put there. A whole version gets its name in one step, and so does the link to it.
# shellcheck disable=SC2016
place_script='
  set -eu
  program=$1 version=$2 file=$3
  umask 022
  rm -rf "$program/versions/.$version.new"
  mkdir -p "$program/versions/.$version.new"
  cp "$file" "$program/versions/.$version.new/gpuhost"
  chmod 755 "$program/versions/.$version.new/gpuhost"
  rm -rf "$program/versions/$version"
  mv "$program/versions/.$version.new" "$program/versions/$version"
  rm -f "$program/trial"
  ln -sfn "versions/$version" "$program/.current.new"
  mv -T "$program/.current.new" "$program/current"
  sync "$program/versions/$version/gpuhost" "$program" 2>/dev/null || true
'

put_in_place() {
  if [ "$mode" = user ]; then
    (umask 077 && mkdir -p "$home")
    sh -c "$place_script" sh "$program" "$version" "$work/gpuhost"
  else
    make_user
    chmod 755 "$work"
    runuser -u gpuhost -- sh -c "$place_script" sh "$program" "$version" "$work/gpuhost"
  fi
}

make_user() {
  getent passwd gpuhost >/dev/null ||
    useradd --system --user-group --home-dir "$home" --shell /usr/sbin/nologin gpuhost
  for group in video render; do
    if getent group "$group" >/dev/null; then usermod -aG "$group" gpuhost; fi
  done
  install -d -m 700 -o gpuhost -g gpuhost "$home"
}

link_command() {
  mkdir -p "$HOME/.local/bin"
  # Somebody else's program of that name stays.
  if [ ! -e "$HOME/.local/bin/gpuhost" ] || [ -L "$HOME/.local/bin/gpuhost" ]; then
    ln -sfn "$program/current/gpuhost" "$HOME/.local/bin/gpuhost"
  fi
  case :$PATH: in
    *":$HOME/.local/bin:"*) command=gpuhost ;;
    *) command=$HOME/.local/bin/gpuhost ;;
  esac
}

# With a token the machine serves from now on, unattended.
set_up_service() {
  if [ "$mode" = system ]; then
    command='sudo gpuhost'
    GPUHOST_TOKEN=$token "$work/gpuhost" service install --system --hub "$HUB" "$@"
  elif [ -n "$token" ] || [ "$start_words" -gt 0 ]; then
    GPUHOST_TOKEN=$token GPUHOST_HOME=$home "$program/current/gpuhost" service install --hub "$HUB" "$@"
  fi
}

install_all() {
  check_machine
  check_hub
  work=$(mktemp -d "${TMPDIR:-/tmp}/gpuhost-install.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  read_manifest
  if [ -n "$dry" ]; then
    describe "$@"
    return
  fi
  if up_to_date; then
    say "gpuhost $have is here already"
    # What writes the service runs as root: never the copy that the service's own user can write.
    if [ "$mode" = system ]; then fetch_program; fi
  else
    fetch_program
    put_in_place
    say "gpuhost $version is installed in $program"
  fi
  if [ "$mode" = user ]; then link_command; fi
  set_up_service "$@"
  if [ -z "$token" ]; then say "Next: $command setup --hub $HUB"; fi
}

describe() {
  say "Would install gpuhost $version for $target ($bytes bytes, sha256 $sha256) from $HUB:"
  say "  the program in $program"
  if [ "$mode" = system ]; then
    say '  a user gpuhost without a shell, /usr/local/bin/gpuhost, /usr/local/lib/gpuhost, /etc/gpuhost,'
    say '  and the service /etc/systemd/system/gpuhost.service'
  else
    say "  a link in $HOME/.local/bin"
  fi
  if [ "$start_words" -gt 0 ]; then say "  and would serve with: gpuhost start $*"; fi
  say 'Nothing was done.'
}

uninstall_all() {
  if [ -n "$dry" ]; then
    say "Would stop gpuhost and remove $home with its weights, its service and its command. Nothing was done."
  elif [ "$mode" = system ] && [ -x /usr/local/bin/gpuhost ]; then
    /usr/local/bin/gpuhost uninstall --yes
  elif [ -x "$program/current/gpuhost" ]; then
    GPUHOST_HOME=$home "$program/current/gpuhost" uninstall --yes
  else
    say "gpuhost is not installed in $home"
  fi
}

main() {
  read_arguments "$@"
  while [ $# -gt "$start_words" ]; do shift; done
  choose_mode
  if [ "$action" = uninstall ]; then uninstall_all; else install_all "$@"; fi
}

{ main "$@"; }
