import { isIP } from 'node:net';
import { Etcd3, type IOptions } from 'etcd3';

/** What the library is inside, of which only this is touched. One object of credentials serves everything that a client does. */
interface Inside {
  readonly hosts: readonly {
    readonly channelCredentials: {
      _createSecureConnector(...given: unknown[]): { readonly connectionOptions?: { servername?: string } };
    };
  }[];
}

/**
 * The library's client, which can also reach members over TLS by their address. gRPC gives each member's host to TLS as the server's
 * name; Node refuses an address there, as RFC 6066, section 3 does. Without a name the certificate is held against the address.
 */
export class EtcdClient extends Etcd3 {
  constructor(options: IOptions) {
    super(options);
    for (const { channelCredentials: credentials } of (this.pool as unknown as Inside).hosts) {
      const create = credentials._createSecureConnector.bind(credentials);
      credentials._createSecureConnector = (...given) => {
        const connector = create(...given);
        const { connectionOptions } = connector;
        if (connectionOptions && isIP(connectionOptions.servername ?? ''))
          delete connectionOptions.servername;
        return connector;
      };
    }
  }
}
