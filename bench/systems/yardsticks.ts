// What a request costs at least: the engine itself, bare proxies that look at nothing, and a plain proxy in Bun that
// makes the same checks as the hub without hosts, failover or money.
import { join } from 'node:path'
import { contestant, type System, writeConfig } from './system.ts'

export const direct: System = {
  name: 'engine itself',
  start: async ({ enginePort }) => ({ port: enginePort, pids: [], stop: async () => {} }),
}

export const nginx: System = {
  name: 'nginx',
  async start(bench) {
    const program = Bun.which('nginx') ?? Bun.which('nginx', { PATH: '/usr/sbin:/usr/local/sbin' })
    if (!program) return { absent: 'not installed (apt install nginx-light)' }
    return contestant(bench, 'nginx', (port, folder) => {
      const path = writeConfig(folder, 'nginx.conf', nginxConfig(port, folder, bench.enginePort))
      return [program, '-c', path, '-e', join(folder, 'error.log')]
    })
  },
}

export const haproxy: System = {
  name: 'haproxy',
  async start(bench) {
    const program = Bun.which('haproxy') ?? Bun.which('haproxy', { PATH: '/usr/sbin:/usr/local/sbin' })
    if (!program) return { absent: 'not installed (apt install haproxy)' }
    return contestant(bench, 'haproxy', (port, folder) => [
      program,
      '-f',
      writeConfig(folder, 'haproxy.cfg', haproxyConfig(port, bench.enginePort)),
    ])
  },
}

export const bunProxy: System = {
  name: 'Bun proxy, same checks',
  start: (bench) =>
    contestant(
      bench,
      'bun-proxy',
      (port) => [
        process.execPath,
        join(import.meta.dirname, 'bun-proxy.ts'),
        String(port),
        String(bench.enginePort),
        bench.world.keys,
      ],
      {
        env: { BUN_CONFIG_MAX_HTTP_REQUESTS: '16384' },
      },
    ),
}

function nginxConfig(port: number, folder: string, enginePort: number): string {
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/pid;
error_log ${folder}/error.log crit;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  client_body_buffer_size 256k;
  client_max_body_size 8m;
  keepalive_requests 100000000;
  upstream engine { server 127.0.0.1:${enginePort}; keepalive 4096; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }
  }
}
`
}

function haproxyConfig(port: number, enginePort: number): string {
  return `global
  nbthread 1
  maxconn 9000
defaults
  mode http
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend clients
  bind 127.0.0.1:${port} backlog 4096
  default_backend engine
backend engine
  server engine 127.0.0.1:${enginePort} maxconn 9000
`
}
