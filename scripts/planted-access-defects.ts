import type { PlantedDefect } from './planted-defects.ts';

const matrix = ['test/gateway/access-matrix'];
const rules = ['test/auth/access'];

/** What could break unseen of who may do what. */
export const plantedAccessDefects: readonly PlantedDefect[] = [
  {
    name: 'an explicit denial of a policy is passed over',
    file: 'src/auth/access.ts',
    right: "if (verdict === 'deny' && !isOwnPolicy) return deny('policy-denies');",
    wrong: "if (verdict === 'deny' && action === '') return deny('policy-denies');",
    foundBy: matrix,
  },
  {
    name: 'a statement that allows outweighs one that denies',
    file: 'src/s3api/policy/evaluate.ts',
    right: "if (statement.effect === 'Deny') return statement;",
    wrong: "if (statement.effect === 'Deny' && allowing) continue;",
    foundBy: ['test/s3api/policy/evaluate'],
  },
  {
    name: 'the owner of a bucket is locked out of its policy',
    file: 'src/auth/access.ts',
    right: 'const isOwnPolicy = (isAdmin || isOwner) && ownPolicyActions.has(action);',
    wrong: 'const isOwnPolicy = isAdmin && ownPolicyActions.has(action);',
    foundBy: [...rules, ...matrix],
  },
  {
    name: 'nobody known is taken for the owner',
    file: 'src/auth/authenticate.ts',
    right: "return { identity: anonymous, form: 'anonymous', payload, chunkSigning: undefined };",
    wrong:
      "return { identity: { userName: 'root', policy: 'admin', accessKeyId: '' }, form: 'anonymous', payload, chunkSigning: undefined };",
    foundBy: matrix,
  },
  {
    name: 'a wrong signature is taken for none',
    file: 'src/auth/authenticate.ts',
    right: 'if (headers.authorization !== undefined) return this.authenticate(request);',
    wrong:
      "if (headers.authorization !== undefined) { try { return this.authenticate(request); } catch { return { identity: anonymous, form: 'anonymous', payload: { kind: 'unsigned' }, chunkSigning: undefined }; } }",
    foundBy: ['test/gateway/acl'],
  },
  {
    name: 'users that signed are not what authenticated users are',
    file: 'src/auth/grants.ts',
    right: "      return policy !== 'anonymous';\n    default:",
    wrong: '      return true;\n    default:',
    foundBy: rules,
  },
  {
    name: 'an object’s ACL is not asked on a hit',
    file: 'src/gateway/object-reads.ts',
    right: '      options.gate?.admit(found.meta);\n      const selection',
    wrong:
      '      options.gate?.admit({ access: { grants: [{ grantee: { group: "AllUsers" }, permission: "READ" }] } });\n      const selection',
    foundBy: ['test/gateway/acl'],
  },
  {
    name: 'a change of a policy is unseen by a thread',
    file: 'src/auth/access.ts',
    right: 'let policy = this.#policies.get(access);',
    wrong:
      'const kept = (this as unknown as { byName?: Map<string, BucketPolicy> }); kept.byName ??= new Map(); let policy = kept.byName.get(name) ?? this.#policies.get(access); if (policy) kept.byName.set(name, policy);',
    foundBy: ['test/gateway/bucket-policy'],
  },
  {
    name: 'a thread decides without the tags that a policy asks for',
    file: 'src/gateway/request-call.ts',
    right: "      if (!this.#reachesStorage) throw new S3Error('NotImplemented');\n",
    wrong:
      '      if (!this.#reachesStorage) {\n        this.gate = this.#doorkeeper.admit(this, errand);\n        return undefined;\n      }\n',
    foundBy: ['test/gateway/bucket-policy'],
  },
  {
    name: 'the source of a copy is not asked whether it may be read',
    file: 'src/gateway/request-call.ts',
    right: '    if (gate === undefined) return admitAll;',
    wrong: '    if (gate === undefined || key !== undefined) return admitAll;',
    foundBy: ['test/gateway/bucket-policy'],
  },
  {
    name: 'a key that is not there is told of to whoever may not list',
    file: 'src/auth/object-gate.ts',
    right: "return this.#mayList() ? error : this.#refusal('may-not-know-of-keys');",
    wrong: 'return error;',
    foundBy: ['test/gateway/acl', ...rules],
  },
  {
    name: 'a bucket’s policy opens what belongs to others',
    file: 'src/auth/object-gate.ts',
    right: "if (this.#policyAllows && owner === bucketOwner) return 'policy-allows-object';",
    wrong: "if (this.#policyAllows) return 'policy-allows-object';",
    foundBy: rules,
  },
  {
    name: 'a copy takes over the ACL of its source',
    file: 'src/ufs/root-objects.ts',
    right: '    ...keptTags(tags),\n  };',
    wrong:
      '    ...keptTags(tags),\n    ...((arguments[0] as { access?: object }).access ? { access: (arguments[0] as { access?: object }).access } : {}),\n  };',
    foundBy: ['test/ufs/root.test'],
  },
  {
    name: 'what is known of a version under its id outlives a change of its ACL',
    file: 'src/gateway/amendments.ts',
    right: 'const amended = await this.#metadata.write(versionTarget(place, id), amendBoth);',
    wrong:
      'const amended = id === "" ? await this.#metadata.write(versionTarget(place, id), amendBoth) : await amend(checkStill);',
    foundBy: ['test/gateway/amendments'],
  },
  {
    name: 'readonly users write where everybody may',
    file: 'src/auth/access.ts',
    right: "if (identity.policy === 'readonly' && !reads.test(action)) return",
    wrong: "if (identity.policy === 'readonly' && !bucket?.access && !reads.test(action)) return",
    foundBy: rules,
  },
  {
    name: 'a list of deletions is asked about as a whole only',
    file: 'src/s3api/operations/delete-objects.ts',
    right: '  await call.authorise(action, bucket, key, versionId);\n',
    wrong: '',
    foundBy: ['test/gateway/bucket-policy', ...matrix],
  },
  {
    name: 'any page may read any answer',
    file: 'src/s3api/cors.ts',
    right: 'rule.allowedOrigins.some((pattern) => hasForm(question.origin, pattern)) &&',
    wrong: 'rule.allowedOrigins.length > 0 &&',
    foundBy: ['test/gateway/cors'],
  },
  {
    name: 'an upload is open to everybody who may not have it',
    file: 'src/gateway/request-call.ts',
    right: 'if (upload.initiator !== userName) throw refusal;',
    wrong: 'if (upload.initiator === undefined) throw refusal;',
    foundBy: ['test/gateway/initiators'],
  },
  {
    name: 'an initiator is let in whatever a policy denies',
    file: 'src/gateway/request-call.ts',
    right: 'this.gate = this.#doorkeeper.admit(this, { ...errand, tags, isInitiator: true });',
    wrong: 'this.gate = tags && this.#doorkeeper.admit(this, { ...errand, tags, isInitiator: true });',
    foundBy: ['test/gateway/initiators'],
  },
  {
    name: 'how many tags there are is told to everybody',
    file: 'src/s3api/tagging.ts',
    right: 'if (!call.mayReadTags()) delete',
    wrong: 'if (!call.mayReadTags) delete',
    foundBy: ['test/gateway/initiators'],
  },
  {
    name: 'the version of TLS stays behind at a hand-over',
    file: 'src/gateway/carried-request.ts',
    right: 'tlsVersion: tlsVersion === none ? undefined : tlsVersion, added };',
    wrong: 'tlsVersion: undefined, added };',
    foundBy: ['test/cli/serve'],
  },
  {
    name: 'a delete marker is no object to give an ACL',
    file: 'src/s3api/operations/put-object-acl.ts',
    right: "if (error.headers['x-amz-delete-marker'] === undefined) return error;",
    wrong: "if (error.headers['x-amz-delete-marker'] !== undefined) return error;",
    foundBy: ['test/gateway/initiators'],
  },
];
