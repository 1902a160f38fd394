import { EventStoreDBClient } from '@eventstore/db-client';
import features from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import type { Connection } from './connection-url.js';

/** What a server says of itself. */
export type ServerReport = Readonly<{
  version: string;
  /** The methods that it knows, in lower case: `streams.append`. */
  methods: readonly string[];
}>;

/**
 * The client of the vendor, appending call by call.
 *
 * By itself it sends all appends over one shared stream. When that stream breaks with appends
 * waiting to be sent, or after a second one was opened to another node, the client throws where
 * nobody can catch it and the process ends; and a deadline is not kept on it. A call of its own
 * for each append has neither trouble.
 */
export class LeaderClient extends EventStoreDBClient {
  protected override supports = () => Promise.resolve(false);

  async report(deadline: number): Promise<ServerReport> {
    return this.execute(
      features.ServerFeaturesClient,
      'report',
      (client) =>
        new Promise((resolve, reject) => {
          const [metadata, options] = this.callArguments({ deadline });
          client.getSupportedMethods(new shared.Empty(), metadata, options, (error, supported) => {
            if (error === null) resolve(reportOf(supported));
            else reject(error);
          });
        }),
    );
  }

  /** Where the calls go at the moment. */
  async node(): Promise<string> {
    return (await this.getChannel()).getTarget().replace(/^[a-z]+:/, '');
  }

  /** Ends every call that is under way, and the connection. */
  async close(): Promise<void> {
    await this.dispose();
    const channel = await this.getChannel().catch(() => null);
    channel?.close();
  }
}

function reportOf(supported: SupportedMethods): ServerReport {
  const methods = supported.getMethodsList().map((method) => {
    const service = method.getServiceName().split('.').at(-1) ?? '';
    return `${service}.${method.getMethodName()}`.toLowerCase();
  });
  return { version: supported.getEventStoreServerVersion(), methods };
}

export function createLeaderClient(connection: Connection): LeaderClient {
  const { hosts, discover, settings, certificates, tls } = connection;
  const [first] = hosts;
  if (first === undefined) throw new Error('A connection has at least one host.');
  const channel = { ...certificates, insecure: !tls };
  const credentials = tls ? (connection.credentials ?? undefined) : undefined;
  if (discover) return new LeaderClient({ ...settings, discover: first }, channel, credentials);
  if (hosts.length === 1) {
    return new LeaderClient({ ...settings, endpoint: first }, channel, credentials);
  }
  return new LeaderClient({ ...settings, endpoints: [...hosts] }, channel, credentials);
}
