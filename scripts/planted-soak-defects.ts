import type { PlantedDefect } from './planted-defects.ts';

/** What only shows once many clients have vanished: tried by a soak of a minute each, so only when a name asks for it. */
export const plantedSoakDefects: readonly PlantedDefect[] = [
  {
    name: 'soak: memory that was lent to a client that vanishes is not given back',
    file: 'src/gateway/response-writer.ts',
    right: 'return isPending(outcome) ? outcome.finally(giveBack) : outcome;',
    wrong:
      "return isPending(outcome) ? outcome.then((ended) => (ended.kind === 'sent' && giveBack(), ended)) : outcome;",
    foundBy: 'soak',
  },
  {
    name: 'soak: an answer waits for ever for a client that vanished',
    file: 'src/gateway/response-writer.ts',
    right: `res.on('finish', done);
    res.on('close', done);`,
    wrong: "res.on('finish', done);",
    foundBy: 'soak',
  },
  {
    name: 'soak: the connection between two threads outlives its client',
    file: 'src/gateway/hand-over.ts',
    right: `      answer?.destroy();
      onward.destroy();
    };
    res.once('close', gone);`,
    wrong: `    };
    res.once('close', gone);`,
    foundBy: 'soak',
  },
];
