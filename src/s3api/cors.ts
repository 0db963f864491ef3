import type { CorsRule } from '../common/access-control.ts';
import type { AnswerHeaders } from './headers.ts';

/** Which pages of other sites may read answers. Sources: S3 User Guide, "Using cross-origin resource sharing (CORS)"; Fetch Standard. */

/** What a browser tells of the page that asks. */
export interface CorsQuestion {
  readonly origin: string;
  readonly method: string;
  /** Lower case. */
  readonly headers: readonly string[];
}

/** The names in an `Access-Control-Request-Headers`, in lower case. */
export function requestedHeaders(value: string | undefined): readonly string[] {
  const names = (value ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '');
}

/** The first rule that allows it all. */
export function findCorsRule(rules: readonly CorsRule[], question: CorsQuestion): CorsRule | undefined {
  return rules.find(
    (rule) =>
      rule.allowedMethods.includes(question.method) &&
      rule.allowedOrigins.some((pattern) => hasForm(question.origin, pattern)) &&
      question.headers.every((name) =>
        rule.allowedHeaders.some((pattern) => hasForm(name, pattern.toLowerCase())),
      ),
  );
}

/** What an answer under a rule says to the browser. */
export function corsHeaders(rule: CorsRule, question: CorsQuestion): AnswerHeaders {
  const { allowedMethods, exposeHeaders, maxAgeSeconds } = rule;
  const anyOrigin = rule.allowedOrigins.find((pattern) => hasForm(question.origin, pattern)) === '*';
  return {
    'access-control-allow-origin': anyOrigin ? '*' : question.origin,
    'access-control-allow-methods': allowedMethods.join(', '),
    ...(question.headers.length > 0 && { 'access-control-allow-headers': question.headers.join(', ') }),
    ...(exposeHeaders.length > 0 && { 'access-control-expose-headers': exposeHeaders.join(', ') }),
    ...(maxAgeSeconds !== undefined && { 'access-control-max-age': maxAgeSeconds }),
    ...(!anyOrigin && { 'access-control-allow-credentials': 'true' }),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  };
}

/** A pattern has one star at most. */
function hasForm(text: string, pattern: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return text === pattern;
  const before = pattern.slice(0, star);
  const behind = pattern.slice(star + 1);
  return text.length >= pattern.length - 1 && text.startsWith(before) && text.endsWith(behind);
}
