import type { Route, S3Request, S3Response } from '../call.ts';
import { corsHeaders, findCorsRule, requestedHeaders } from '../cors.ts';
import { S3Error } from '../errors.ts';
import type { BucketInfo } from '../service.ts';

/** What a browser asks before a request of another site's page. Nobody signs it, and it names whatever it is about. */
export const preflightRoute: Pick<Route, 'operation'> = { operation: 'Preflight' };

const notAllowed =
  "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
const methods: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html. `bucket` is undefined where there is none of that name. */
export function preflight(request: S3Request, bucket: Pick<BucketInfo, 'access'> | undefined): S3Response {
  const { headers } = request;
  const { origin } = headers;
  if (!origin) {
    throw new S3Error('BadRequest', { message: 'Insufficient information. Origin request header needed.' });
  }
  const asked = headers['access-control-request-method'];
  const method = asked ?? 'OPTIONS';
  if (bucket === undefined) throw forbidden('CORSResponse: Bucket not found', method, 'BUCKET');
  const rules = bucket.access?.cors;
  if (rules === undefined) throw forbidden(undefined, method, 'BUCKET');
  if (asked !== undefined && !methods.has(asked)) {
    throw new S3Error('BadRequest', { message: `Invalid Access-Control-Request-Method: ${asked}` });
  }
  const question = {
    origin,
    method,
    headers: requestedHeaders(headers['access-control-request-headers']),
  };
  const rule = findCorsRule(rules, question);
  if (rule === undefined) {
    throw forbidden(notAllowed, method, request.key === undefined ? 'BUCKET' : 'OBJECT');
  }
  return { status: 200, headers: corsHeaders(rule, question) };
}

function forbidden(message: string | undefined, Method: string, ResourceType: string): S3Error {
  return new S3Error('AccessForbidden', { message, extra: { Method, ResourceType } });
}
