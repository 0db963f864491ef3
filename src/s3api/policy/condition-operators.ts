import { BlockList, isIP } from 'node:net';
import type { Condition, Matching } from './policy.ts';

/** Compares one value of a request with one of a policy. */
type Compare = (value: string, wanted: string, matching: Matching) => boolean;

interface Operator {
  readonly compare: Compare;
  /** It holds where none of the values is such as the policy says. */
  readonly negated: boolean;
  /** Whether a policy's values are patterns. */
  readonly isOfPatterns?: true;
  /** What a value in a policy must look like. */
  readonly isValid?: (wanted: string) => boolean;
}

const equals: Compare = (value, wanted) => value === wanted;
const ignoringCase: Compare = (value, wanted) => value.toLowerCase() === wanted.toLowerCase();
const like: Compare = (value, wanted, matching) => matching.isLike(value, wanted);
const numeric = (holds: (difference: number) => boolean): Compare => {
  return (value, wanted) => holds(numberOf(value) - numberOf(wanted));
};
const dated = (holds: (difference: number) => boolean): Compare => {
  return (value, wanted) => holds(timeMs(value) - timeMs(wanted));
};

const isNumber = (wanted: string) => Number.isFinite(numberOf(wanted));
const isDate = (wanted: string) => Number.isFinite(timeMs(wanted));
const isBoolean = (wanted: string) => /^(?:true|false)$/i.test(wanted);

const pair = (name: string, compare: Compare, isValid?: Operator['isValid']): [string, Operator][] => [
  [`${name}Equals`, { compare, negated: false, isValid }],
  [`${name}NotEquals`, { compare, negated: true, isValid }],
];
const ofPatterns = (name: string, notName: string): [string, Operator][] => [
  [name, { compare: like, negated: false, isOfPatterns: true }],
  [notName, { compare: like, negated: true, isOfPatterns: true }],
];
const ordered = (name: string, by: typeof numeric, isValid: Operator['isValid']): [string, Operator][] => [
  ...pair(
    name,
    by((difference) => difference === 0),
    isValid,
  ),
  [`${name}LessThan`, { compare: by((difference) => difference < 0), negated: false, isValid }],
  [`${name}LessThanEquals`, { compare: by((difference) => difference <= 0), negated: false, isValid }],
  [`${name}GreaterThan`, { compare: by((difference) => difference > 0), negated: false, isValid }],
  [`${name}GreaterThanEquals`, { compare: by((difference) => difference >= 0), negated: false, isValid }],
];

/** Source: IAM User Guide, "IAM JSON policy elements: Condition operators". */
const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...pair('String', equals),
  ['StringEqualsIgnoreCase', { compare: ignoringCase, negated: false }],
  ['StringNotEqualsIgnoreCase', { compare: ignoringCase, negated: true }],
  ...ofPatterns('StringLike', 'StringNotLike'),
  ...ordered('Numeric', numeric, isNumber),
  ...ordered('Date', dated, isDate),
  ['Bool', { compare: ignoringCase, negated: false, isValid: isBoolean }],
  ...ofPatterns('ArnEquals', 'ArnNotEquals'),
  ...ofPatterns('ArnLike', 'ArnNotLike'),
]);

/** How the values of a request are taken together, where it has several. */
type Quantifier = 'ForAllValues' | 'ForAnyValue' | undefined;

/**
 * Whether a condition can hold only of values that are written in full: then it ties a statement to them. An address range counts if it is
 * not the whole Internet.
 */
export function tiesToValues(written: string, wanted: readonly string[]): boolean {
  const { name, quantifier, ifExists } = parseOperator(written);
  if (written === 'Null' || ifExists || quantifier === 'ForAllValues') return false;
  const operator = operatorOf(name, wanted);
  if (typeof operator === 'string' || operator.negated) return false;
  return wanted.every((value) => !/[*?]|\$\{/.test(value) && !/\/0+$/.test(value));
}

export type ConditionFault = 'unknown-operator' | 'invalid-value' | 'invalid-address';

/** The test that an operator such as `ForAnyValue:StringLikeIfExists` stands for, or what is wrong with it. */
export function conditionTest(
  written: string,
  wanted: readonly string[],
): Condition['holds'] | ConditionFault {
  if (written === 'Null') {
    if (!wanted.every(isBoolean)) return 'invalid-value';
    return (values) => wanted.some((value) => (value.toLowerCase() === 'true') === (values === undefined));
  }
  const { name, quantifier, ifExists } = parseOperator(written);
  const operator = operatorOf(name, wanted);
  if (typeof operator === 'string') return operator;
  return (values, matching) => {
    if (values === undefined && ifExists) return true;
    return holds(operator, quantifier, values, wanted, matching);
  };
}

/** Address ranges are made ready here, once. */
function operatorOf(name: string, wanted: readonly string[]): Operator | ConditionFault {
  if (name === 'IpAddress' || name === 'NotIpAddress') {
    const networks = new Map(wanted.map((text) => [text, networkOf(text)]));
    if ([...networks.values()].includes(undefined)) return 'invalid-address';
    const compare: Compare = (value, network) => isInNetwork(value, networks.get(network));
    return { compare, negated: name === 'NotIpAddress' };
  }
  const operator = operators.get(name);
  if (operator === undefined) return 'unknown-operator';
  const { isValid } = operator;
  const isRight = !isValid || wanted.every((value) => value.includes('${') || isValid(value));
  return isRight ? operator : 'invalid-value';
}

function parseOperator(written: string): { name: string; quantifier: Quantifier; ifExists: boolean } {
  const match = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(written);
  return {
    name: match?.[2] ?? '',
    quantifier: match?.[1] as Quantifier,
    ifExists: match?.[3] !== undefined,
  };
}

function holds(
  { compare, negated, isOfPatterns }: Operator,
  quantifier: Quantifier,
  values: readonly string[] | undefined,
  wanted: readonly string[],
  matching: Matching,
): boolean {
  const as = isOfPatterns ? 'pattern' : 'text';
  const isSuch = (value: string) =>
    wanted.some((written) => {
      matching.spend(1 + value.length / 64);
      const expanded = matching.expand(written, as);
      return expanded !== undefined && compare(value, expanded, matching);
    }) !== negated;
  if (quantifier === 'ForAllValues') return (values ?? []).every(isSuch);
  if (values === undefined) return negated && quantifier === undefined;
  return negated && quantifier === undefined ? values.every(isSuch) : values.some(isSuch);
}

/** A decimal number. NaN for anything else, no text at all too, which no comparison holds of. */
function numberOf(text: string): number {
  return /^\s*[+-]?\d+(?:\.\d+)?\s*$/.test(text) ? Number(text) : Number.NaN;
}

const isoDate = /^\d{4}-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?$/;

/** Seconds since the epoch, or a date in ISO 8601, in UTC where it names no zone. NaN for anything else. */
function timeMs(text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const match = isoDate.exec(text);
  if (match === null) return Number.NaN;
  return Date.parse(text.includes('T') && match[1] === undefined ? `${text}Z` : text);
}

function isInNetwork(address: string, network: BlockList | undefined): boolean {
  const plain = plainAddress(address);
  const family = isIP(plain);
  if (family === 0 || network === undefined) return false;
  return network.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}

/** An IPv4 address that came over IPv6 as what it is. */
function plainAddress(address: string): string {
  return address.toLowerCase().startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function networkOf(text: string): BlockList | undefined {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  const mostBits = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? mostBits : /^\d{1,3}$/.test(bits) ? Number(bits) : mostBits + 1;
  if (family === 0 || more.length > 0 || prefix > mostBits) return undefined;
  const network = new BlockList();
  network.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  return network;
}
