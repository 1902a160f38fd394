import type grpc from '@grpc/grpc-js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import type { Node } from './node.js';

const STREAMS = 'event_store.client.streams.streams';
const METHODS: readonly (readonly [service: string, method: string, features: string[]])[] = [
  [STREAMS, 'read', ['position', 'events']],
  [STREAMS, 'append', []],
  [STREAMS, 'delete', []],
  [STREAMS, 'tombstone', []],
  [STREAMS, 'batchappend', ['deadline_duration']],
  ['event_store.client.gossip.gossip', 'read', []],
  ['event_store.client.server_features.serverfeatures', 'getsupportedmethods', []],
];

/** As in https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Grpc/ServerFeatures.cs */
export function featuresHandler(
  node: Node,
): grpc.handleUnaryCall<shared.Empty, features.SupportedMethods> {
  return (_call, callback) => {
    const methods = METHODS.map(([service, method, list]) =>
      new features.SupportedMethod()
        .setServiceName(service)
        .setMethodName(method)
        .setFeaturesList(list),
    );
    callback(
      null,
      new features.SupportedMethods()
        .setEventStoreServerVersion(node.dialect.version)
        .setMethodsList(methods),
    );
  };
}

/** A cluster of one, which leads. Anybody may ask. */
export function gossipHandler(
  instanceId: string,
  host: string,
  port: number,
): grpc.handleUnaryCall<shared.Empty, gossip.ClusterInfo> {
  return (_call, callback) => {
    const member = new gossip.MemberInfo()
      .setInstanceId(new shared.UUID().setString(instanceId))
      .setTimeStamp(String(Date.now()))
      .setState(gossip.MemberInfo.VNodeState.LEADER)
      .setIsAlive(true)
      .setHttpEndPoint(new gossip.EndPoint().setAddress(host).setPort(port));
    callback(null, new gossip.ClusterInfo().setMembersList([member]));
  };
}
