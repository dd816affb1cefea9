#!/usr/bin/env bash
# Set up BotMaker as a service on a Debian or Ubuntu server: `sudo deploy/setup-server.sh`, from a
# checkout. Run it again to update; what is already so stays as it is. `--help` lists the options.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=/opt/botmaker
settings=/etc/botmaker
state=/var/lib/botmaker
logs=/var/log/botmaker
units=/etc/systemd/system
command=/usr/local/bin/botmaker
upstream=127.0.0.1:7100
mark='BotMaker'\''s setup-server.sh'

usage() {
  cat <<'END'
Usage: setup-server.sh [options]

  --dry-run               say what would be done, and do nothing
  --token-file FILE       the Discord token, to be copied to /etc/botmaker
  --settings FILE         the settings (.env), to be copied to /etc/botmaker
  --wheels DIR            install from these wheels, without a network (`make image` fetches them)
  --proxy caddy|nginx     put this in front, with https; needs --host
  --host NAME             the name that people use, like bots.example.org
  --tls DIR               with nginx: the folder with fullchain.pem and privkey.pem
  --tunnel FILE           run a Cloudflare tunnel with the token in this file; needs --host, and
                          cloudflared in /usr/local/bin
  --backup-recipient KEY  back up every night, for this age recipient (age1…)
  --uninstall             remove the service and the program; settings, data and bots stay
  --help                  show this

Without --token-file and --settings, `sudo botmaker init` asks for them afterwards.
END
}

dry='' token='' env='' wheels='' proxy='' host='' tls='' tunnel='' recipient='' uninstall=''
changes=0 written='' restart='' reload=''

say() { printf '%s\n' "$*"; }
stop() { # stop SENTENCE [STATUS]
  printf 'setup-server.sh: %s\n' "$1" >&2
  exit "${2:-69}"
}

# Every change goes through here: said first, then done; with --dry-run only said.
change() { # change WORDS COMMAND...
  changes=$((changes + 1))
  if [ -n "$dry" ]; then say "Would $1."; return; fi
  say "Now: $1."
  shift
  "$@"
}

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --dry-run) dry=yes ;;
      --uninstall) uninstall=yes ;;
      --help) usage; exit 0 ;;
      --token-file | --settings | --wheels | --proxy | --host | --tls | --tunnel | --backup-recipient)
        [ $# -gt 1 ] || stop "$1 needs a value." 2
        case $1 in
          --token-file) token=$2 ;;
          --settings) env=$2 ;;
          --wheels) wheels=$2 ;;
          --proxy) proxy=$2 ;;
          --host) host=$2 ;;
          --tls) tls=$2 ;;
          --tunnel) tunnel=$2 ;;
          --backup-recipient) recipient=$2 ;;
        esac
        shift ;;
      *) stop "There is no option $1. --help lists them." 2 ;;
    esac
    shift
  done
}

check_options() {
  local file
  case $proxy in '' | caddy | nginx) ;; *) stop "--proxy is caddy or nginx." 2 ;; esac
  if [ -n "$proxy$tunnel" ] && [ -z "$host" ]; then stop "--proxy and --tunnel need --host." 2; fi
  if [ -n "$proxy" ] && [ -n "$tunnel" ]; then stop "Choose --proxy or --tunnel, not both." 2; fi
  if [[ -n $host && ! $host =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]]; then
    stop "--host is a name alone, like bots.example.org." 2
  fi
  if [[ -n $recipient && ! $recipient =~ ^age1[a-z0-9]+$ ]]; then
    stop "--backup-recipient is an age recipient: it begins with age1." 2
  fi
  for file in "$token" "$env" "$tunnel"; do
    [ -z "$file" ] || [ -r "$file" ] || stop "$file can't be read." 2
  done
  if [ "$proxy" = nginx ]; then
    [ -n "$tls" ] || stop "--proxy nginx needs --tls, the folder with fullchain.pem and privkey.pem." 2
    for file in fullchain.pem privkey.pem; do
      [ -r "$tls/$file" ] || stop "$tls/$file can't be read." 2
    done
    tls=$(cd "$tls" && pwd)
  fi
  if [ -n "$wheels" ]; then
    compgen -G "$wheels/botmaker-*.whl" >/dev/null || stop "$wheels has no wheel of BotMaker." 2
    wheels=$(cd "$wheels" && pwd)
  fi
}

# A dry run may be made anywhere, so there it only notes what the machine lacks.
lacks() {
  if [ -n "$dry" ]; then say "Note: $1"; else stop "$1"; fi
}

check_machine() {
  local name='' architecture
  [ "$(id -u)" -eq 0 ] || lacks "It needs root: run it with sudo."
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || name=$(. /etc/os-release && printf '%s %s' "${ID:-}" "${ID_LIKE:-}")
  case " $name " in *' debian '* | *' ubuntu '*) ;; *) lacks "It is made for Debian and Ubuntu." ;; esac
  architecture=$(dpkg --print-architecture 2>/dev/null || uname -m)
  case $architecture in amd64 | arm64) ;; *) lacks "It is made for amd64 and arm64, not $architecture." ;; esac
  [ -d /run/systemd/system ] || lacks "This machine wasn't started by systemd."
  local version
  version=$(systemctl --version 2>/dev/null | sed -n '1s/systemd \([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 252 ] || lacks "It needs systemd 252 or newer: Debian 12, Ubuntu 24.04."
}

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

docker_is_there() {
  [ -S /run/docker.sock ] || command -v dockerd >/dev/null
}

packages() {
  local wanted=() name
  for name in python3 python3-venv ca-certificates; do installed "$name" || wanted+=("$name"); done
  # Whatever Docker is there stays: Docker's own packages and the distribution's exclude each other.
  docker_is_there || wanted+=(docker.io)
  if [ -n "$proxy" ]; then installed "$proxy" || command -v "$proxy" >/dev/null || wanted+=("$proxy"); fi
  [ ${#wanted[@]} -eq 0 ] || change "install ${wanted[*]} from this system's packages" "$source/scripts/apt-install" "${wanted[@]}"
  if [ -z "$dry" ]; then
    "$(python)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
      stop "This system's python3 isn't 3.11 to 3.13: Debian 12 or 13, Ubuntu 24.04."
    [ ! -f /lib/systemd/system/docker.service ] || systemctl enable --quiet --now docker
  fi
}

# Not somebody's own Python: the service lives longer.
python() { if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else echo python3; fi; }

user() {
  if ! getent passwd botmaker >/dev/null; then
    change "create the user botmaker" useradd --system --user-group --home-dir "$state" \
      --no-create-home --shell /usr/sbin/nologin botmaker
  fi
  if ! id -nG botmaker 2>/dev/null | grep -qw docker; then
    change "add botmaker to the group docker" usermod -aG docker botmaker
  fi
}

folder() { # folder PATH MODE OWNER GROUP
  [ "$(stat -c '%a %U %G' "$1" 2>/dev/null)" = "$2 $3 $4" ] ||
    change "create $1, mode $2, for $3:$4" install -d -m "$2" -o "$3" -g "$4" "$1"
}

folders() {
  folder "$settings" 750 root botmaker
  folder "$state" 700 botmaker botmaker
  folder "$logs" 700 botmaker botmaker
  [ -z "$recipient" ] || folder "$state/backups" 700 botmaker botmaker
}

# Write a file from standard input, whole or not at all. `written` says whether that was needed.
put() { # put PATH MODE OWNER GROUP [WHAT IS NEW IN IT]
  local path=$1 new
  written=''
  new=$(mktemp)
  cat >"$new"
  if ! cmp -s "$new" "$path" || [ "$(stat -c '%a %U %G' "$path")" != "$2 $3 $4" ]; then
    change "write $path${5:+ with $5}" put_now "$new" "$@"
    written=yes
  fi
  rm -f "$new"
}

put_now() { # put_now NEW PATH MODE OWNER GROUP
  install -m "$3" -o "$4" -g "$5" "$1" "$2.new"
  mv -f "$2.new" "$2"
}

# What is installed is named after its content, and a link leads to it: the switch is one step.
install_program() {
  local name place
  name=$(cd "$source" && {
    "$(python)" --version
    find controller images pyproject.toml requirements.txt -type f ! -path '*/__pycache__/*' -print0 |
      sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-12)
  place=$program-$name
  [ "$(readlink "$program")" != "$place" ] || [ ! -e "$place/complete" ] || return 0
  change "install the program into $place" install_into "$place"
  restart=yes
}

install_into() { # install_into PLACE
  local place=$1 work pip
  pip=("$place/bin/python" -m pip --disable-pip-version-check --no-cache-dir install --quiet)
  work=$(mktemp -d)
  rm -rf "$place"
  "$(python)" -m venv "$place"
  if [ -n "$wheels" ]; then
    "${pip[@]}" --no-index --find-links "$wheels" --require-hashes -r "$source/requirements.txt"
    "${pip[@]}" --no-index --no-deps "$wheels"/botmaker-*.whl
  else
    "${pip[@]}" --require-hashes -r "$source/requirements.txt"
    # From a copy: a build leaves files behind.
    cp -r "$source"/{controller,images,pyproject.toml,README.md,LICENSE} "$work"
    "${pip[@]}" --no-deps "$work"
  fi
  rm -rf "$work"
  "$place/bin/botmaker" --version >/dev/null
  # The umask may be strict, but the service's user has to run it.
  chmod -R go+rX "$place"
  touch "$place/complete"
  ln -sfn "$place" "$program.new"
  mv -fT "$program.new" "$program"
  find /opt -maxdepth 1 -name 'botmaker-*' ! -path "$place" -exec rm -rf {} +
}

# The console script for whoever administers this machine.
wrapper() {
  put "$command" 755 root root <<END
#!/bin/sh
# Written by $mark. BotMaker's console, with the service's settings, as the service's
# user: name files by their full path.
export BOTMAKER_DATA_DIR=$state/data BOTMAKER_SECRETS_DIR=$state/secrets
export BOTMAKER_LOG_FILE=$logs/botmaker.log BOTMAKER_MASTER_KEY_FILE=$settings/master.key
[ "\$(id -u)" -eq 0 ] || exec sudo "\$0" "\$@"
cd $settings || exit 1
if [ "\${1:-}" = init ]; then
  $program/bin/botmaker "\$@"
  status=\$?
  for file in .env discord-token; do
    if [ -f "\$file" ]; then chown root:botmaker "\$file" && chmod 0640 "\$file"; fi
  done
  echo 'Start it with: sudo systemctl enable --now botmaker'
  exit \$status
fi
export BOTMAKER_DISCORD_TOKEN_FILE=$settings/discord-token
exec runuser -u botmaker -- $program/bin/botmaker "\$@"
END
}

# What init or a person wrote is never replaced by the example.
settings_files() {
  local base=$settings/.env pairs=() pair new
  if [ -n "$env" ]; then base=$env; elif [ ! -e "$base" ]; then base=$source/.env.example; fi
  if [ -n "$host" ]; then
    pairs+=(BOTMAKER_API=1 "BOTMAKER_PUBLIC_URL=https://$host" BOTMAKER_TRUSTED_PROXIES=127.0.0.1)
  fi
  if [ -n "$recipient" ]; then
    pairs+=("BOTMAKER_BACKUP_DIR=$state/backups" "BOTMAKER_BACKUP_RECIPIENTS=$recipient")
  fi
  new=$(mktemp)
  cat "$base" >"$new"
  for pair in "${pairs[@]}"; do
    grep -qxF "$pair" "$new" || amend "$new" "$pair"
  done
  put "$settings/.env" 640 root botmaker "${pairs[*]}" <"$new"
  rm -f "$new"
  restart=$restart$written
  if [ -n "$token" ]; then
    put "$settings/discord-token" 640 root botmaker <"$token"
    restart=$restart$written
  fi
  if [ ! -e "$settings/master.key" ]; then
    change "make the master key $settings/master.key" make_master_key
  fi
}

amend() { # amend FILE NAME=VALUE
  local rest
  rest=$(grep -v "^${2%%=*}=" "$1") || true
  printf '%s\n%s\n' "$rest" "$2" >"$1"
}

# A key that BotMaker made before stays the key; a new one is 32 random bytes, as hex.
make_master_key() {
  local new=$settings/master.key.new
  (
    umask 077
    if [ -e "$state/data/master.key" ]; then
      cat "$state/data/master.key"
    else
      od -An -tx1 -N32 /dev/urandom | tr -d ' \n'
    fi >"$new"
  )
  chown root:botmaker "$new"
  chmod 0640 "$new"
  mv "$new" "$settings/master.key"
}

service_files() {
  local name names=(botmaker.service botmaker-backup.service botmaker-backup.timer)
  [ -z "$tunnel" ] || names+=(botmaker-tunnel.service)
  for name in "${names[@]}"; do
    put "$units/$name" 644 root root <"$source/deploy/systemd/$name"
    reload=$reload$written
    restart=$restart$written
  done
  units_read_again
}

units_read_again() {
  [ -z "$reload" ] || change "let systemd read its units again" systemctl daemon-reload
  reload=''
}

active() { systemctl is-active --quiet "$1" 2>/dev/null; }
enabled() { systemctl is-enabled --quiet "$1" 2>/dev/null; }

complete() { # whether the service can start at all
  [ -s "$settings/discord-token" ] && grep -qsE '^BOTMAKER_GUILD_ID=[0-9]' "$settings/.env" &&
    grep -qsE '^BOTMAKER_ADMIN_CHANNEL_ID=[0-9]' "$settings/.env"
}

# A start waits for Docker and Discord, however long; this doesn't.
begin() { # begin start|restart
  local before now second
  before=$(systemctl show -P InvocationID botmaker)
  systemctl --no-block "$1" botmaker
  for second in $(seq 90); do
    sleep 1
    now=$(systemctl show -P InvocationID botmaker)
    [ "$now" != "$before" ] || continue
    ! active botmaker || return 0
    if systemctl is-failed --quiet botmaker; then
      journalctl --unit botmaker --lines 5 --no-pager --output cat >&2
      stop "BotMaker can't start: the lines above say why." 1
    fi
  done
  say "It hasn't started after $second s: \`systemctl status botmaker\` says what it waits for."
}

service() {
  if [ -n "$recipient" ] && ! active botmaker-backup.timer; then
    change "back up every night" systemctl enable --quiet --now botmaker-backup.timer
  fi
  if ! complete; then
    say "Not started yet: run \`sudo botmaker init\`, then \`sudo systemctl enable --now botmaker\`."
    return
  fi
  enabled botmaker || change "start BotMaker with this machine" systemctl enable --quiet botmaker
  if ! active botmaker; then
    change "start BotMaker" begin start
  elif [ -n "$restart" ]; then
    change "restart BotMaker (the bots run on)" begin restart
  fi
}

front_caddy() {
  local file=/etc/caddy/Caddyfile drop=$units/caddy.service.d changed='' verified
  verified=$(dpkg --verify caddy 2>/dev/null) || true # which is also its status where it found any
  if [[ $verified == *" $file"* ]] && ! grep -qs BOTMAKER_PUBLIC_URL "$file"; then
    lacks "$file has sites of its own: take over what deploy/proxy/Caddyfile has, and leave out --proxy."
  fi
  put "$file" 644 root root <"$source/deploy/proxy/Caddyfile"
  changed=$written
  [ -d "$drop" ] || change "create $drop" mkdir -p "$drop"
  put "$drop/botmaker.conf" 644 root root <<END
# Written by $mark.
[Service]
Environment=BOTMAKER_PUBLIC_URL=https://$host
Environment=BOTMAKER_UPSTREAM=$upstream
END
  changed=$changed$written
  reload=$reload$written
  units_read_again
  enabled caddy || change "start Caddy with this machine" systemctl enable --quiet caddy
  if [ -n "$changed" ] || ! active caddy; then
    change "start Caddy" systemctl restart caddy
  fi
}

front_nginx() {
  local file=/etc/nginx/conf.d/botmaker.conf
  put "$file" 644 root root < <(sed -e "s|\${BOTMAKER_HOST}|$host|g" -e "s|\${BOTMAKER_TLS}|$tls|g" \
    -e "s|\${BOTMAKER_UPSTREAM}|$upstream|g" "$source/deploy/proxy/nginx.conf.template")
  enabled nginx || change "start nginx with this machine" systemctl enable --quiet nginx
  if [ -n "$written" ] || ! active nginx; then
    change "let nginx check its files" nginx -t -q
    change "start nginx" systemctl reload-or-restart nginx
  fi
}

tunnel_unit() {
  [ -x /usr/local/bin/cloudflared ] || lacks "There is no /usr/local/bin/cloudflared: Cloudflare's page says where to get it."
  put "$settings/tunnel-token" 600 root root <"$tunnel"
  active botmaker-tunnel || change "start the tunnel" systemctl enable --quiet --now botmaker-tunnel
}

firewall_hint() {
  if [ -z "$proxy" ]; then
    say "Firewall: BotMaker needs no open port."
  elif command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active'; then
    say "Firewall: open the web's ports with \`sudo ufw allow 80,443/tcp\`; 7100 stays closed."
  else
    say "Firewall: the ports 80 and 443 must be open, 7100 stays closed."
  fi
}

doctor() {
  [ -z "$dry" ] && complete || return 0
  say "The doctor:"
  "$command" doctor || say "Something above needs you. \`sudo botmaker doctor\` looks again."
}

remove() { # remove WORDS PATH...
  local words=$1 path found=()
  shift
  for path in "$@"; do
    if [ -e "$path" ] || [ -L "$path" ]; then found+=("$path"); fi
  done
  [ ${#found[@]} -eq 0 ] || change "remove $words: ${found[*]}" rm -rf -- "${found[@]}"
}

take_away() {
  local name site=/etc/nginx/conf.d/botmaker.conf files=()
  for name in botmaker.service botmaker-backup.timer botmaker-tunnel.service; do
    if active "$name" || enabled "$name"; then
      change "stop and disable $name" systemctl disable --quiet --now "$name"
    fi
  done
  for name in botmaker.service botmaker-backup.service botmaker-backup.timer botmaker-tunnel.service; do
    files+=("$units/$name")
  done
  remove "the units" "${files[@]}" "$units/caddy.service.d/botmaker.conf"
  [ "$changes" -eq 0 ] || change "let systemd read its units again" systemctl daemon-reload
  if [ -e "$site" ]; then
    remove "nginx's site" "$site"
    ! active nginx || change "let nginx read its files again" systemctl reload nginx
  fi
  if grep -qs "$mark" "$command"; then remove "the command" "$command"; fi
  remove "the program" "$program" "$program"-*
  if grep -qs BOTMAKER_PUBLIC_URL /etc/caddy/Caddyfile; then
    say "Caddy still has BotMaker's /etc/caddy/Caddyfile: change it, or remove caddy."
  fi
  say "What stays: $settings, $state, $logs, the user botmaker, Docker, and the bots, which run on."
  say "To remove the bots as well, list them: docker ps --all --filter label=botmaker.managed=true"
}

main() {
  read_options "$@"
  if [ -n "$uninstall" ]; then
    [ "$(id -u)" -eq 0 ] || lacks "It needs root: run it with sudo."
    take_away
  else
    check_options
    check_machine
    packages
    user
    folders
    install_program
    wrapper
    settings_files
    service_files
    service
    case $proxy in caddy) front_caddy ;; nginx) front_nginx ;; esac
    [ -z "$tunnel" ] || tunnel_unit
    firewall_hint
    doctor
  fi
  if [ "$changes" -eq 0 ]; then say "Nothing to change."; fi
}

main "$@"
