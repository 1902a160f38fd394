import type { EventDefinition } from './define-event.js';

/** The data of an event as a JSON Schema document, whose `$id` is the `dataschema` of its messages. */
export function jsonSchemaOf({ type, topic, schema }: EventDefinition): string {
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:patchtrail:schema:${type}`,
    title: type,
    $comment: `Published on ${topic}. Generated: npm run schemas -w @patchtrail/contracts`,
    ...schema,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
