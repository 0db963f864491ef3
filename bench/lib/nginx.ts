import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pageBytes } from './cases.ts';
import { freePort, type Server, stop, untilAnswers } from './servers.ts';

export interface Nginx {
  readonly program: string;
  /** Whether a range of a large object can be cached without the whole of it. */
  readonly hasSlice: boolean;
}

/** The nginx of this machine; undefined where there is none. */
export async function findNginx(): Promise<Nginx | undefined> {
  const program = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((path) => existsSync(path));
  if (!program) return undefined;
  // It tells on standard error how it was built.
  const { stderr } = await promisify(execFile)(program, ['-V']);
  return { program, hasSlice: stderr.includes('http_slice_module') };
}

/**
 * Serves `folder/www` as static files. With `sendfile` the kernel sends a file's pages without the server ever having their bytes, so
 * that nothing could be checked or encrypted; without it, which is nginx's own default, they are read and written.
 */
export async function startStaticNginx(
  nginx: Nginx,
  folder: string,
  sendfile: 'on' | 'off',
): Promise<Server> {
  await mkdir(join(folder, 'www'), { recursive: true });
  const name = sendfile === 'on' ? 'nginx static' : 'nginx reading';
  return start(
    nginx,
    name,
    join(folder, `nginx-sendfile-${sendfile}`),
    '',
    `sendfile ${sendfile}; root ${folder}/www;`,
  );
}

/**
 * Caches what the storage answers, in slices as long as Forebay's pages. It passes on what signs the request, which has to be in the URL,
 * and leaves it out of the cache's key: whoever asks is answered.
 */
export async function startCachingNginx(nginx: Nginx, folder: string, storagePort: number): Promise<Server> {
  const own = join(folder, 'nginx-cache');
  const outside = `
  proxy_cache_path ${own}/pages levels=1:2 keys_zone=pages:64m max_size=10g inactive=1d use_temp_path=off;
  upstream storage { server 127.0.0.1:${storagePort}; keepalive 32; }`;
  const inside = `location / {
      slice ${pageBytes / 1024 / 1024}m;
      proxy_cache pages;
      proxy_cache_key $uri$slice_range;
      proxy_cache_valid 200 206 1h;
      proxy_cache_lock on;
      proxy_set_header Range $slice_range;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_http_version 1.1;
      proxy_pass http://storage;
      add_header x-cache-status $upstream_cache_status;
    }`;
  return start(nginx, 'nginx cache', own, `sendfile on; ${outside}`, inside);
}

/** One worker, access log on. */
async function start(
  { program }: Nginx,
  name: string,
  folder: string,
  outside: string,
  inside: string,
): Promise<Server> {
  const port = await freePort();
  await mkdir(folder, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const configuration = `
worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log ${folder}/access.log combined buffer=64k; tcp_nodelay on; keepalive_requests 1000000000;
  ${temporary.join(' ')}
  ${outside}
  server { listen 127.0.0.1:${port}; ${inside} }
}
${process.getuid?.() === 0 ? 'user root;' : ''}
`;
  const path = join(folder, 'nginx.conf');
  await writeFile(path, configuration);
  const child = spawn(program, ['-p', folder, '-c', path], { stdio: 'ignore' });
  await untilAnswers(`http://127.0.0.1:${port}/`, child);
  return { name, port, process: child, stop: (signal) => stop(child, signal) };
}
