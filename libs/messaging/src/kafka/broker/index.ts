export { kafkaVersion, missingForKafka } from './artifacts.js';
export { type KafkaOptions, type Ports, type RunningKafka, startKafka } from './start-kafka.js';
