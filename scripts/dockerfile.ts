/** One instruction of a Dockerfile, with continuation lines joined and comments gone. */
export interface Instruction {
  readonly name: string;
  /** Its `--name=value` flags. */
  readonly flags: ReadonlyMap<string, string>;
  readonly text: string;
}

/** A build stage: `FROM image [AS name]` and what follows it. */
export interface BuildStage {
  readonly image: string;
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

function parseInstruction(line: string): Instruction {
  const [, name = '', rest = ''] = /^\s*(\w+)\s+(.*)$/s.exec(line) ?? [];
  const flags = new Map<string, string>();
  let text = rest.trim();
  for (
    let flag = /^--([\w-]+)=(\S+)\s+/.exec(text);
    flag !== null;
    flag = /^--([\w-]+)=(\S+)\s+/.exec(text)
  ) {
    flags.set(flag[1] ?? '', flag[2] ?? '');
    text = text.slice(flag[0].length);
  }
  return { name: name.toUpperCase(), flags, text };
}

/** The stages of a Dockerfile. Of the language it knows what the repository's own file uses. */
export function parseDockerfile(text: string): BuildStage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { image: string; name: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const instruction = parseInstruction(line);
    if (instruction.name !== 'FROM') {
      stages.at(-1)?.instructions.push(instruction);
      continue;
    }
    const [image = '', , name = String(stages.length)] = instruction.text.split(/\s+/);
    stages.push({ image, name, instructions: [] });
  }
  return stages;
}

/** The words of an exec form (`["a", "b"]`); undefined for the shell form, which is not passed signals. */
export function execForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  const words: unknown = JSON.parse(text);
  return Array.isArray(words) && words.every((word) => typeof word === 'string') ? words : undefined;
}

/** The assignments of an ENV instruction. */
export function environmentOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(\w+)=(\S+)/g)].map((match) => [match[1], match[2]]));
}
