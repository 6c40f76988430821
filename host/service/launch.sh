#!/bin/sh
# Keeps the agent running, and goes back to the program before when a newer one does not reach its hub in time.
# It is older than the program it starts, and stays: what an update breaks, it can mend.
#   GPUHOST_HOME=FOLDER launch start --foreground …
set -u

home=${GPUHOST_HOME:?}
program=$home/program
trial_seconds=${GPUHOST_TRIAL_SECONDS:-120}
GPUHOST_LAUNCHER=$$
export GPUHOST_LAUNCHER
# A compiled program obeys these; they are nobody's business here.
unset BUN_OPTIONS BUN_BE_BUN
stopping=''
child=''

pass_on() {
  stopping=1
  [ -z "$child" ] || kill -s "$1" "$child" 2>/dev/null
}
trap 'pass_on TERM' TERM
trap 'pass_on HUP' HUP
trap 'pass_on INT' INT

# True while what starts next has not proven itself.
on_trial() {
  [ -r "$program/trial" ] || return 1
  read -r new old <"$program/trial" || return 1
  # A swap that did not come to its end changed nothing.
  [ "$(readlink "$program/current")" = "versions/$new" ] && [ -x "$program/versions/$old/gpuhost" ]
}

# Ends a newer program that says nothing for too long: neither that it is starting, nor that it is linked.
watch_trial() {
  waited=0
  before=''
  while [ "$waited" -lt "$trial_seconds" ]; do
    sleep 1
    now=$(stat -c %y "$program/trial" 2>/dev/null) || exit 0
    if [ "$now" = "$before" ]; then waited=$((waited + 1)); else waited=0; fi
    before=$now
  done
  kill -s TERM "$1" 2>/dev/null
  sleep 15
  kill -s KILL "$1" 2>/dev/null
}

go_back() {
  mkdir -p "$program/failed" && : >"$program/failed/$new"
  ln -sfn "versions/$old" "$program/.current.back" && mv -T "$program/.current.back" "$program/current"
  rm -f "$program/trial"
  echo "gpuhost $new did not reach its hub; going back to $old" >&2
}

run() {
  watcher=''
  # A group of its own, so that whoever has to can end all it started.
  setsid "$program/current/gpuhost" "$@" &
  child=$!
  if on_trial; then
    watch_trial "$child" &
    watcher=$!
  fi
  # A signal that came before there was a child.
  [ -z "$stopping" ] || kill -s TERM "$child" 2>/dev/null
  wait "$child"
  code=$?
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  child=''
  [ -z "$watcher" ] || kill "$watcher" 2>/dev/null
}

# Nobody wants it to stop, and no later launcher has taken over.
wanted() {
  [ -z "$stopping" ] && [ ! -e "$home/stopping" ] || return 1
  owner=''
  if [ -r "$home/launcher" ]; then read -r owner <"$home/launcher" || :; fi
  # Empty: the disk was full.
  [ "${owner:-$$}" = "$$" ]
}

pause() {
  paused=0
  while [ "$paused" -lt "$1" ] && wanted; do
    sleep 1
    paused=$((paused + 1))
  done
}

rm -f "$home/stopping"
echo "$$" >"$home/launcher"
delay=1
while :; do
  began=$(date +%s)
  run "$@"
  wanted || exit 0
  if on_trial && [ "$code" -ne 75 ]; then
    go_back
    continue
  fi
  case $code in
    # Its owner stopped it, or has to look: wrong words, or a machine that does not do.
    0 | 2 | 3) exit "$code" ;;
    # A newer program is in place.
    75) continue ;;
    *) ;;
  esac
  [ $(($(date +%s) - began)) -lt 300 ] || delay=1
  echo "gpuhost ended ($code); starting it again in $delay s" >&2
  pause "$delay"
  wanted || exit 0
  delay=$((delay * 2))
  [ "$delay" -le 60 ] || delay=60
done
