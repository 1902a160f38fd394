import { DomainError } from '@patchtrail/event-sourcing';

type GroupDefinition = Readonly<{
  name: string;
  selector: Readonly<{
    attributes?: Readonly<Record<string, string>> | undefined;
    endpointIds?: readonly string[] | undefined;
    groupIds?: readonly string[] | undefined;
  }>;
}>;

/**
 * A group is defined by attributes that endpoints have, by a list, or by both; never by groups.
 * `unknownAttribute` and `unknownEndpoint` are the first name and id in it that nobody knows.
 * @throws DomainError `invalid-group`, naming the field
 */
export function assertGroup(
  { name, selector }: GroupDefinition,
  unknownAttribute: string | null,
  unknownEndpoint: string | null,
): void {
  if (name.trim() === '') throw invalid('name', 'must not be empty');
  if (selector.groupIds !== undefined) throw invalid('selector.groupIds', 'groups do not nest');
  const attributes = Object.keys(selector.attributes ?? {});
  if (attributes.length === 0 && selector.endpointIds === undefined) {
    throw invalid('selector', 'must name attributes or endpoints');
  }
  if (unknownAttribute !== null) {
    throw invalid(`selector.attributes.${unknownAttribute}`, 'is not an attribute of endpoints');
  }
  if (unknownEndpoint !== null) {
    throw invalid('selector.endpointIds', `${unknownEndpoint} is not an endpoint`);
  }
}

function invalid(field: string, rule: string): DomainError {
  return new DomainError('invalid-group', `${field}: ${rule}`);
}
