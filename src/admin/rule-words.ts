/** What a rule means, and what can be done where it refuses. */
export interface RuleWords {
  readonly meaning: string;
  readonly advice?: string;
}

const words: Readonly<Record<string, RuleWords>> = {
  'admin-may-everything': { meaning: 'administrators may do everything' },
  'anyone-may-list-own-buckets': { meaning: 'every user may list their own buckets' },
  'readwrite-may-create-buckets': { meaning: 'users with the policy readwrite may create buckets' },
  'owner-may': { meaning: "the bucket's owner may" },
  'policy-allows': { meaning: 'a statement of the bucket policy allows it' },
  'acl-allows': { meaning: "the bucket's ACL allows it" },
  'initiator-may': { meaning: 'who began an upload may go on with it' },
  'object-owner-may': { meaning: "the object's owner may" },
  'policy-allows-object': { meaning: 'a statement of the bucket policy allows it' },
  'object-acl-allows': { meaning: "the object's ACL allows it" },
  'anonymous-owns-nothing': {
    meaning: 'nobody signed the request, and only users may do this',
    advice: 'sign it with an access key',
  },
  'readonly-may-only-read': {
    meaning: 'users with the policy readonly change nothing',
    advice: 'sign as a user with the policy readwrite',
  },
  'policy-denies': {
    meaning: 'a statement of the bucket policy denies it',
    advice: 'have the owner of the bucket change that statement (aws s3api get-bucket-policy)',
  },
  'bucket-of-another': {
    meaning: 'the bucket belongs to another user, and neither its policy nor its ACL allows it',
    advice: 'have its owner allow it in a bucket policy',
  },
  'object-of-another': {
    meaning: 'the object belongs to another user, and neither the bucket policy nor its ACL allows it',
    advice: 'have its owner allow it in a bucket policy, or with an ACL',
  },
  'may-not-know-of-keys': {
    meaning: 'there is no such object, which is told only to those who may list the bucket',
    advice: 'look for the key as the owner of the bucket; allow s3:ListBucket to see NoSuchKey',
  },
  'policy-is-its-owners': {
    meaning: 'a bucket policy is for the owner of the bucket alone',
    advice: 'sign as the owner of the bucket',
  },
  'no-such-bucket': { meaning: 'there is no such bucket', advice: 'see forebay mount list' },
  'no-such-key': { meaning: 'it is allowed, but there is no such object' },
  'key-is-not-known': {
    meaning: 'there is no such access key',
    advice: 'see forebay user list; keys of another cluster are not known here',
  },
  'key-is-disabled': {
    meaning: 'the access key was disabled',
    advice: 'make another one: forebay user key create NAME',
  },
  'expected-bucket-owner': {
    meaning: 'the request says that the bucket belongs to somebody who is not its owner',
    advice: 'leave x-amz-expected-bucket-owner out, or name the owner',
  },
  'mount-is-read-only': {
    meaning: 'nothing is written to a mount that is read-only',
    advice: 'add the mount again without --read-only',
  },
  'limits-requests': {
    meaning: 'there were more requests under way than limits.requests',
    advice: 'have clients try again, raise limits.requests, or add nodes',
  },
  'storage-does-not-tell': {
    meaning: 'whose the object is cannot be told, for its storage does not answer',
    advice: 'run forebay mount check on its mount',
  },
  'storage-denied': {
    meaning: "the storage refuses the mount's own credentials or rights",
    advice: 'run forebay mount check on its mount, and mend its credentials',
  },
  'storage-read-only': {
    meaning: 'nothing can be written there: the mount, or its storage, is read-only',
    advice: 'see forebay mount show; add the mount again without --read-only',
  },
  'storage-throttled': {
    meaning: 'the storage asks for fewer requests',
    advice: 'give the mount a bound with --max-requests, or ask the storage for more',
  },
  'storage-unavailable': {
    meaning: 'the storage cannot be reached',
    advice: 'run forebay mount check on its mount',
  },
  'storage-timeout': {
    meaning: 'the storage did not answer in time',
    advice: 'run forebay mount check on its mount',
  },
  'storage-no-space': { meaning: 'the storage is full', advice: 'make room there' },
  'node-overloaded': {
    meaning: 'the node has as much under way as its limits allow',
    advice: 'have clients try again, raise the limits (forebay config show), or add nodes',
  },
  'node-closed': { meaning: 'the node was going down', advice: 'have clients try again' },
  'node-not-cached': {
    meaning: 'the request asked for what is cached only, and it is not',
    advice: 'leave Cache-Control: only-if-cached out',
  },
};

/** Where the code of an error says which rule it was. */
const wordsOfCodes: Readonly<Record<string, RuleWords>> = {
  SignatureDoesNotMatch: {
    meaning: 'the signature is not that of this request with the secret of this key',
    advice: 'compare the secret; see whether something on the way changes the host, the path or headers',
  },
  RequestTimeTooSkewed: {
    meaning: "the client's clock and the node's differ by more than 15 minutes",
    advice: 'keep both clocks right, such as by NTP',
  },
  AuthorizationHeaderMalformed: {
    meaning: 'it is signed for another region or service, or not in the form that it has to be',
    advice: 'set the region of the client to that of forebay config show',
  },
  AccessDenied: { meaning: 'the message says why' },
  SlowDown: { meaning: 'there was too much to do', advice: 'have clients try again' },
  ServiceUnavailable: {
    meaning:
      'what the request takes was away: its storage, the coordination store, or the owner of the object',
    advice: 'see forebay status',
  },
  InternalError: {
    meaning: 'a fault of the node',
    advice: 'look for the id of the request in the log of that node',
  },
  NotImplemented: {
    meaning: 'this, or this storage, does not offer it',
    advice: 'see docs/s3-compatibility.md',
  },
  XAmzContentSHA256Mismatch: {
    meaning: 'the body is not the one that was signed',
    advice: 'see what on the way changes bodies',
  },
  BadDigest: { meaning: 'the body is not the one its digest was made of', advice: 'send it again' },
};

/** In plain words; what is not known by the rule's name is told by the error's code. */
export function wordsOf(rule: string | undefined, code?: string): RuleWords {
  const byRule = rule !== undefined && Object.hasOwn(words, rule) ? words[rule] : undefined;
  const byCode = code !== undefined && Object.hasOwn(wordsOfCodes, code) ? wordsOfCodes[code] : undefined;
  return byRule ?? byCode ?? { meaning: 'the message says why' };
}

/** Every rule that has words. */
export const rulesWithWords: ReadonlySet<string> = new Set(Object.keys(words));
