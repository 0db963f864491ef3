import { readdir, readFile } from 'node:fs/promises';

/** What each thread of a process is called, does and waits for in the kernel (proc(5)); for the report about one that does not end. */
export async function threadsOf(pid: number): Promise<string> {
  const folder = `/proc/${pid}/task`;
  const threads = await readdir(folder).catch(() => []);
  const lines = threads.map(async (thread) => {
    const read = (name: string) => readFile(`${folder}/${thread}/${name}`, 'utf8').catch(() => '');
    const [status, wchan] = await Promise.all([read('status'), read('wchan')]);
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
    return `${field('Name')} ${field('State')} ${wchan}, signals to come ${field('SigPnd')} ${field('ShdPnd')}`;
  });
  return (await Promise.all(lines)).join('; ');
}
