/** Every code that the admin API answers with where something is wrong: its HTTP status, and when it is answered. */
export const failureCodes = {
  InvalidRequest: [400, 'A parameter, the query or the body is not as it has to be, or does not make sense'],
  BackendNotUsable: [400, 'The storage behind a mount to be cannot be used'],
  AuthorizationHeaderMalformed: [400, 'The Authorization header is not one of the service forebay'],
  InvalidArgument: [400, 'The Authorization header cannot be read'],
  InvalidToken: [400, 'A session token was sent: there are no temporary keys'],
  XAmzContentSHA256Mismatch: [400, 'The body is not the one that was signed'],
  AccessDenied: [403, 'No signature, one that expired, or one of a user who is no administrator'],
  InvalidAccessKeyId: [403, 'The access key is not known, or disabled'],
  RequestTimeTooSkewed: [403, 'The clocks of client and node differ by more than 15 minutes'],
  SignatureDoesNotMatch: [403, 'The secret is another one, or the request was changed on its way'],
  NoSuchBucket: [404, 'There is no such bucket'],
  NotFound: [404, 'There is no such route, or nothing of that name'],
  AlreadyExists: [409, 'There is something of that name, or in that place'],
  Conflict: [409, 'It is not in the state that this takes, or was changed meanwhile'],
  LimitExceeded: [409, 'There are as many as there may be'],
  MountNotEmpty: [409, 'Other mounts lie inside of it'],
  NoCluster: [409, 'This is for nodes of a cluster'],
  PendingWrites: [409, 'Writes are acknowledged that the storage does not have yet'],
  UserOwnsBuckets: [409, 'The user owns buckets'],
  BodyTooLarge: [413, 'The body is larger than 64 KiB'],
  UnsupportedMediaType: [415, 'The body is no application/json'],
  InternalError: [500, 'A fault of the node, which its log tells of'],
  NotImplemented: [501, 'An algorithm of signatures that is not offered'],
  BackendFailed: [502, 'A storage did not do what was asked of it'],
  AuditUnavailable: [503, 'The change cannot be written to the audit log, so it is not made'],
  NodesNotReached: [503, 'Other nodes do not tell what is pending with them, or do not know of a change yet'],
  NotReady: [503, 'The node is starting'],
  ServiceUnavailable: [503, 'The coordination store was away for so long that keys are not known any more'],
  StoreUnavailable: [503, 'The coordination store cannot be reached; the change may have been made'],
} as const satisfies Readonly<Record<string, readonly [status: number, meaning: string]>>;

export type AdminCode = keyof typeof failureCodes;

/** What any route may answer. */
export const failuresOfAll: readonly AdminCode[] = [
  'InvalidRequest',
  'AuthorizationHeaderMalformed',
  'InvalidArgument',
  'InvalidToken',
  'XAmzContentSHA256Mismatch',
  'AccessDenied',
  'InvalidAccessKeyId',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'InternalError',
  'NotImplemented',
  'NotReady',
  'ServiceUnavailable',
];
/** What, moreover, any route may answer that takes a body. */
export const failuresOfBodies: readonly AdminCode[] = ['BodyTooLarge', 'UnsupportedMediaType'];
/** And any that changes something. */
export const failuresOfChanges: readonly AdminCode[] = ['AuditUnavailable', 'StoreUnavailable'];
