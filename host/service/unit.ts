// What systemd is told about an agent that is a service.

export interface UnitOptions {
  /** Of the machine, with a user of its own; else of the user who installs it. */
  system: boolean
  launcher: string
  home: string
  environmentFile: string
  /** `start --foreground …` */
  words: readonly string[]
  /** May use the Docker engine of the machine, which is as much as being root on it. */
  docker: boolean
}

/** The text of the unit file. */
export function unitText(options: UnitOptions): string {
  const { system, launcher, home, environmentFile, words } = options
  return `# Written by gpuhost; install.sh and gpuhost service install write it anew.
[Unit]
Description=gpuhost: offers this machine's GPU to a gpuhub
After=network-online.target${system ? ' nvidia-persistenced.service docker.service' : ''}
${system ? 'Wants=network-online.target\n' : ''}
[Service]
ExecStart=${[launcher, ...words].map(quoted).join(' ')}
Environment=${quoted(`GPUHOST_HOME=${home}`)}
EnvironmentFile=-${environmentFile}
# It ends by itself when its owner stops it, and when it cannot serve on this machine.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 3
# Hubs hear of it first, then what runs may finish, then the engine ends.
KillMode=mixed
TimeoutStopSec=180
LimitNOFILE=65536
UMask=0077
# A compiled program obeys these; nobody else's may reach it.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN
NoNewPrivileges=yes
${system ? sandbox(options) : ''}
[Install]
WantedBy=${system ? 'multi-user.target' : 'default.target'}
`
}

/** What an agent does not need, it cannot do. Engines compile programs as they start, so memory may become executable. */
function sandbox({ docker }: UnitOptions): string {
  return `User=gpuhost
Group=gpuhost
${docker ? 'SupplementaryGroups=docker\n' : ''}StateDirectory=gpuhost
StateDirectoryMode=0700
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
DevicePolicy=closed
DeviceAllow=char-nvidia* rw
DeviceAllow=char-drm rw
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
`
}

/** One word of a unit file, whatever is in it. */
export function quoted(word: string): string {
  const escaped = word.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@%+=:,./-]+$/.test(escaped) ? escaped : `"${escaped}"`
}

/** A file of variables for systemd, for its owner only. */
export function environmentText(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}="${value.replace(/[\\"$`]/g, '\\$&')}"\n`)
    .join('')
}

/** What `environmentText` wrote. */
export function readEnvironment(text: string): Record<string, string> {
  const lines = [...text.matchAll(/^(\w+)="((?:\\.|[^"\\])*)"$/gm)]
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value.replace(/\\(.)/g, '$1')]))
}
