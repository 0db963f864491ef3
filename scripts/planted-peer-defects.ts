// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

const intruders = ['test/peers/intruders'];
const exchanges = ['test/peers/exchanges'];
const owned = ['test/gateway/routing/owned-metadata'];
const reads = ['test/gateway/routing/routed-reads'];
const writes = ['test/gateway/routing/routed-writes'];

/** What could break unseen between nodes. */
export const plantedPeerDefects: readonly PlantedDefect[] = [
  {
    name: 'each node asks for itself for what a node that is gone has owned',
    file: 'src/gateway/routing/routed-metadata.ts',
    right: 'const next = this.#routes.metadataOwner(target, new Set([owner.workerId]));',
    wrong: 'const next = undefined as ViewMember | undefined;',
    foundBy: ['test/gateway/routing/stampede'],
  },
  {
    name: 'each node reads for itself the segments that a node has which is gone',
    file: 'src/gateway/routing/routed-reader.ts',
    right: 'const next = owner && this.#ownerOf(target, range, new Set([owner.workerId]));',
    wrong: 'const next = undefined as typeof owner;',
    foundBy: ['test/gateway/routing/stampede'],
  },
  {
    name: 'each node asks a storage as much as all together may',
    file: 'src/ufs/limited.ts',
    right: 'return Math.max(1, Math.floor(total / count) + (place < total % count ? 1 : 0));',
    wrong: 'return Math.max(1, total + 0 * (place + count));',
    foundBy: ['test/gateway/routing/stampede', 'test/ufs/limited'],
  },
  {
    name: 'a share that has grown is not used',
    file: 'src/ufs/limit.ts',
    right: 'this.settings.share?.() ?? this.allowed',
    wrong: '(this.settings as { first?: number }).first ??= this.settings.share?.() ?? this.allowed',
    foundBy: ['test/ufs/limited'],
  },
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
  {
    name: 'a node carries out changes of what it does not own',
    file: 'src/gateway/routing/write-answers.ts',
    right: 'if (!place || !(await this.#owns(place, write.view))) {',
    wrong: 'if (!place) {',
    foundBy: writes,
  },
  {
    name: 'a node that has lost an object changes it all the same',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: '    if (!owned && isKept) throw new MovedError();\n',
    wrong: '',
    foundBy: owned,
  },
  {
    name: 'how often a change was handed on is not looked at',
    file: 'src/gateway/routing/write-answers.ts',
    right: 'if (write.hops > maxHops ||',
    wrong: 'if (',
    foundBy: writes,
  },
  {
    name: 'whether a question was handed on is not looked at',
    file: 'src/gateway/routing/peer-answers.ts',
    right: 'if (question.hops !== 1) {',
    wrong: 'if (question.hops < 1) {',
    foundBy: reads,
  },
  {
    name: 'a change is acknowledged though the object has passed to another node',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: 'if (owned && isKept && !owned.mayAcknowledge())',
    wrong: 'if (owned && isKept && !owned)',
    foundBy: [...owned, ...writes],
  },
  {
    name: 'metadata is used by a node that does not own it, or has no view lease',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: 'return this.#ownership.mayKeepMetadata(hashOf(target));',
    wrong: 'return hashOf(target) >= 0;',
    foundBy: owned,
  },
  {
    name: 'a change goes out without a look at the view lease',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: 'const checkStill = owned && isKept ? this.#checkOf(target, hash, owned) : async () => {};',
    wrong: 'const checkStill = async () => {};',
    foundBy: owned,
  },
  {
    name: 'what a change has made is kept while an earlier one may still take effect',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: 'this.#cache.write(target, () => change(checkStill), mayKeepNow)',
    wrong: 'this.#cache.write(target, () => change(checkStill))',
    foundBy: owned,
  },
  {
    name: 'what was asked while nothing may be kept is kept by who joins',
    file: 'src/worker/metadata-cache.ts',
    right: 'const isKept = noStore || running?.mayKeep;',
    wrong: 'const isKept = running !== undefined;',
    foundBy: ['test/worker/metadata-cache'],
  },
  {
    name: 'a release that comes late is not heard',
    file: 'src/ring/claim.ts',
    right: 'if (!this.silent.delete(name) && !wasWaiting) return;',
    wrong: 'if (!wasWaiting) return;',
    foundBy: ['test/ring/settling'],
  },
  {
    name: 'metadata of a node that does not own it is kept',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: 'return this.#cache.get(target, { ...options, signal, revalidate: true, noStore: true });',
    wrong: 'return this.#cache.get(target, { ...options, signal, revalidate: true });',
    foundBy: owned,
  },
  {
    name: 'what is known of objects that have passed to another node is kept for when they come back',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: 'cache.retain(({ incarnation, path }) => keeps(hashOf({ incarnation, path }))),',
    wrong: 'cache.retain(() => keeps !== undefined),',
    foundBy: writes,
  },
  {
    name: 'a segment is read of whatever version there is by now',
    file: 'src/gateway/routing/peer-answers.ts',
    right: 'const { meta, start, end, versionId, missing } = question;',
    wrong: `const { start, end, versionId, missing } = question;
    const { meta } = await this.#owned.validated(place);`,
    foundBy: reads,
  },
  {
    name: 'reads pass by owners without a limit',
    file: 'src/gateway/routing/fallbacks.ts',
    right: 'if (this.underWay >= this.limit)',
    wrong: 'if (this.limit < 0)',
    foundBy: reads,
  },
  {
    name: 'a change whose owner cannot be reached is carried out where it arrives',
    file: 'src/gateway/routing/routed-writes.ts',
    right: `      if (relayed.kind !== 'unreachable') return relayed;
    }
    return outcome;`,
    wrong: `      if (relayed.kind !== 'unreachable') return relayed;
    }
    return this.#here(change);`,
    foundBy: writes,
  },
  {
    name: 'changes are not passed on through another node',
    file: 'src/gateway/routing/routed-writes.ts',
    right: '.slice(0, maxRelays);',
    wrong: '.slice(0, 0 * maxRelays);',
    foundBy: writes,
  },
  {
    name: 'I/O threads do not look at the view lease',
    file: 'src/worker/shared-metadata-reader.ts',
    right: 'if (this.lease && !this.lease.isValid(this.clock)) return undefined;',
    wrong: '',
    foundBy: ['test/worker/shared-metadata'],
  },
  {
    name: 'clients are sent elsewhere with a URL that is good for any object',
    file: 'src/auth/presigner.ts',
    right: 'const text = canonicalRequest({ method, path, query, headers, signedHeaders, payloadHash });',
    wrong:
      "const text = canonicalRequest({ method, path: '/', query, headers, signedHeaders, payloadHash });",
    foundBy: ['test/gateway/routing/redirects'],
  },
  {
    name: 'an owner that holds pages of another version does not give the bytes with the metadata',
    file: 'src/gateway/routing/peer-answers.ts',
    right: 'if ((noStore || this.#reader.holdsSome(place)) && !together) return undefined;',
    wrong: 'if (noStore || this.#reader.holdsSome(place)) return undefined;',
    foundBy: reads,
  },
  {
    name: 'a version that moved before its owner could read it is not asked for again',
    file: 'src/gateway/object-reads.ts',
    right: '          found ??= await this.#find(place, next);',
    wrong:
      "          found ??= await this.#find(place, next).catch((error) => {\n            throw new Error('it moved', { cause: error });\n          });",
    foundBy: reads,
  },
  {
    name: 'the age of a question goes by wall clocks',
    file: 'src/gateway/routing/write-questions.ts',
    right: 'sentMs: this.#clock.monotonicMs()',
    wrong: 'sentMs: this.#clock.nowMs()',
    foundBy: writes,
  },
  {
    name: 'questions of any age are answered',
    file: 'src/gateway/routing/routing.ts',
    right: 'if (ages.of(question.sentMs) > maxQuestionAgeMs)',
    wrong: 'if (ages.of(question.sentMs) < 0)',
    foundBy: reads,
  },
];
