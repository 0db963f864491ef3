// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

const intruders = ['test/peers/intruders'];
const exchanges = ['test/peers/exchanges'];

/** What could break unseen between nodes. */
export const plantedPeerDefects: readonly PlantedDefect[] = [
  {
    name: 'the proof of a frame is not compared',
    file: 'src/peers/frame-mac.ts',
    right: 'return timingSafeEqual(this.expected.subarray(0, macBytes), content.subarray(0, macBytes));',
    wrong: 'return true;',
    foundBy: intruders,
  },
  {
    name: 'frames have no sequence number, so that one that is sent again counts again',
    file: 'src/peers/frame-mac.ts',
    right: '    this.sequence++;\n',
    wrong: '',
    foundBy: ['test/peers/frame-mac'],
  },
  {
    name: 'the secret of a caller is not asked for',
    file: 'src/peers/greeting.ts',
    right:
      "if (answer.kind !== frameKinds.proof || !parts.secret.accepts('caller', transcript, answer.content)) {",
    wrong: 'if (answer.kind !== frameKinds.proof) {',
    foundBy: intruders,
  },
  {
    name: 'both sides prove the same thing, so that a proof can be sent back',
    file: 'src/peers/handshake.ts',
    right: 'return transcript.digest(this.key, `proof ${side}`);',
    wrong: "return transcript.digest(this.key, side && 'proof');",
    foundBy: intruders,
  },
  {
    name: 'proofs hold for any TLS connection',
    file: 'src/peers/greeting.ts',
    right: '? socket.exportKeyingMaterial(32, bindingLabel, Buffer.alloc(0))',
    wrong: '? Buffer.from(bindingLabel)',
    foundBy: intruders,
  },
  {
    name: 'a peer may send more than it was granted',
    file: 'src/peers/inbound-body.ts',
    right: 'if (this.openBytes < 0 || this.ended)',
    wrong: 'if (this.ended)',
    foundBy: intruders,
  },
  {
    name: 'bodies are sent whether the other side takes them or not',
    file: 'src/peers/exchange.ts',
    right: '      this.creditBytes -= end - at;\n',
    wrong: '',
    foundBy: exchanges,
  },
  {
    name: 'a half-open connection is kept',
    file: 'src/peers/connection.ts',
    right: 'if (this.silentTicks > this.settings.maxSilentTicks)',
    wrong: 'if (this.silentTicks > 1e9)',
    foundBy: exchanges,
  },
];
