import type { Backend, BackendCapabilities, ProbedAbilities, WriteCondition } from './backend.ts';
import { UfsError } from './errors.ts';

/** What a probe shows and what layers above are told of. */
type Probed = keyof BackendCapabilities & keyof ProbedAbilities;

export type ConditionalAbility = Exclude<Probed, 'tagging' | 'versions'>;

/** What a storage can do as far as a probe tells; no condition counts that was not seen to be decided. */
export function probedCapabilities(
  abilities: ProbedAbilities,
): Pick<BackendCapabilities, ConditionalAbility | 'tagging'> {
  return {
    conditionalCreate: abilities.conditionalCreate,
    conditionalPut: abilities.conditionalPut,
    conditionalCompleteCreate: abilities.conditionalCompleteCreate,
    conditionalComplete: abilities.conditionalComplete,
    conditionalCopy: abilities.conditionalCopy,
    conditionalDelete: abilities.conditionalDelete,
    tagging: abilities.tagging ?? false,
  };
}

/** What a put needs for its condition. */
export function abilityToPut(condition: WriteCondition | undefined): ConditionalAbility {
  return isToCreate(condition) ? 'conditionalCreate' : 'conditionalPut';
}

/** What the end of an upload needs for its condition. */
export function abilityToComplete(condition: WriteCondition | undefined): ConditionalAbility {
  return isToCreate(condition) ? 'conditionalCompleteCreate' : 'conditionalComplete';
}

/** Throws `UfsError` of kind not-implemented where there is a condition and the storage was not seen to decide such ones. */
export function checkAble(
  { uri, capabilities }: Pick<Backend, 'uri' | 'capabilities'>,
  ability: ConditionalAbility,
  condition: WriteCondition | undefined,
  key: string,
): void {
  if (condition === undefined || capabilities[ability]) return;
  const message = 'this storage was not seen to decide such a condition atomically';
  throw new UfsError('not-implemented', message, { backend: uri, key });
}

function isToCreate(condition: WriteCondition | undefined): boolean {
  return condition !== undefined && 'ifNoneMatch' in condition;
}
