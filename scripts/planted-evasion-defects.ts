import type { PlantedDefect } from './planted-defects.ts';

const evasion = ['test/gateway/policy-evasion'];
const evaluation = ['test/s3api/policy/evaluate'];

/** Ways past a policy: what is judged is not what is done, or cannot be judged in time. */
export const plantedEvasionDefects: readonly PlantedDefect[] = [
  {
    name: 'a prefix that a read names is taken for what is listed',
    file: 'src/auth/access.ts',
    right: "if (asked.name === 's3:prefix') return question.key === undefined ? undefined : [question.key];",
    wrong: '',
    foundBy: evasion,
  },
  {
    name: 'the version that the request names is taken for that of a copy’s source',
    file: 'src/auth/request-facts.ts',
    right: 'return one(request.versionId);',
    wrong: "return one(request.query.get('versionId'));",
    foundBy: evasion,
  },
  {
    name: 'a header that is not read is taken for the tags that are given',
    file: 'src/auth/request-facts.ts',
    right: 'return isRead ? parseTagHeader(headers) : undefined;',
    wrong: 'return isRead || replaces !== undefined ? parseTagHeader(headers) : undefined;',
    foundBy: evasion,
  },
  {
    name: 'tags in a body are not judged',
    file: 'src/gateway/request-call.ts',
    right: "if (asked === 'tags') return this.#doorkeeper.asksForNewTags(bucket);",
    wrong: "if (asked === 'tags') return false;",
    foundBy: evasion,
  },
  {
    name: 'who may do everything by a policy may replace it',
    file: 'src/auth/access.ts',
    right: "return ownPolicyActions.has(action) ? deny('policy-is-its-owners') : allow('policy-allows');",
    wrong: "return allow('policy-allows');",
    foundBy: evasion,
  },
  {
    name: 'a policy’s patterns are compared for as long as it takes',
    file: 'src/s3api/policy/wildcard.ts',
    right: 'effort?.spend(place - behindStar + 1);',
    wrong: '',
    foundBy: evaluation,
  },
  {
    name: 'what a variable stands for is a pattern',
    file: 'src/s3api/policy/evaluate.ts',
    right: "return as === 'pattern' ? asPattern(value ?? '') : (value ?? '');",
    wrong: "return as === 'pattern' ? (value ?? '') : (value ?? '');",
    foundBy: evaluation,
  },
  {
    name: 'of a key that a policy has twice the last one counts',
    file: 'src/s3api/policy/strict-json.ts',
    right: "else if (token === ':') addKey(open.at(-1), JSON.parse(last) as string);",
    wrong: '',
    foundBy: ['test/s3api/policy/parse-policy'],
  },
  {
    name: 'an object is read by the tags of another that was in its place',
    file: 'src/auth/judged-version-gate.ts',
    right: 'if (meta.generation !== this.#generation) {',
    wrong: "if (meta.generation === '') {",
    foundBy: ['test/auth/judged-version-gate', 'test/gateway/tag-race'],
  },
  {
    name: 'a copy takes tags along for anybody',
    file: 'src/s3api/operations/copy-object.ts',
    right: 'if (present.tagCount) admitTags(present);',
    wrong: 'if (present.tagCount === -1) admitTags(present);',
    foundBy: evasion,
  },
  {
    name: 'a condition on what is there tells everybody whether it is',
    file: 'src/s3api/condition-rights.ts',
    right: "  await call.authorise('s3:GetObject', bucket, key);\n",
    wrong: '',
    foundBy: evasion,
  },
];
