import type { PipelineSettings } from '../gateway/handle-request.ts';
import type { ServerSettings } from '../gateway/server.ts';
import type { Settings } from './settings-table.ts';

/** The settings of the S3 port, as every thread that listens on it takes them. */
export function serverSettings(settings: Settings): ServerSettings {
  return {
    host: settings.host,
    port: settings['s3.port'],
    maxHeaderBytes: settings['limits.header'],
    maxConnections: settings['limits.connections'],
    headersTimeoutMs: settings['timeout.headers'],
    idleTimeoutMs: settings['timeout.idle'],
    keepAliveTimeoutMs: settings['timeout.keepAlive'],
  };
}

export function pipelineSettings(settings: Settings, isSecure: boolean): PipelineSettings {
  return {
    region: settings.region,
    domains: settings.domains,
    scheme: isSecure ? 'https' : 'http',
    maxInFlight: settings['limits.requests'],
  };
}

/** Whether the node belongs to a cluster, with its coordination store in etcd. */
export function isInCluster(settings: Settings): boolean {
  return settings['etcd.endpoints'].length > 0;
}
