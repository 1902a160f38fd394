export type { KafkaConnection } from './client.js';
export { type KafkaConfig, kafkaConfig, KafkaConfigError } from './config.js';
export type { BusHealth } from './health.js';
export { type KafkaBus, type KafkaBusOptions, openKafkaBus } from './kafka-bus.js';
export type { TopicSettings } from './topics.js';
