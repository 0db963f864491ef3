import { afterAll, beforeAll, expect } from '@jest/globals';
import { type RunningNode, startNode } from '../../conformance/harness.ts';
import { HostileClient } from './hostile-client.ts';

/** One node for all tests of a file, with a bucket whose contents no test may manage to change. */
export class Scene {
  readonly bucket = 'fortress';
  private running: { node: RunningNode; client: HostileClient } | undefined;

  get client(): HostileClient {
    if (this.running === undefined) throw new Error('the node is not running');
    return this.running.client;
  }

  get port(): number {
    return this.client.port;
  }

  async start(settings: Readonly<Record<string, string>>): Promise<void> {
    const node = await startNode(settings);
    this.running = { node, client: new HostileClient(node) };
    expect((await this.client.send({ method: 'PUT', target: `/${this.bucket}` })).status).toBe(200);
    const put = await this.client.send({ method: 'PUT', target: `/${this.bucket}/kept`, body: 'kept' });
    expect(put.status).toBe(200);
  }

  async stop(): Promise<void> {
    await this.running?.node.stop();
  }

  /** The node is up, and the bucket holds what it held, and nothing else. */
  async expectUntouched(): Promise<void> {
    expect(this.running?.node.isAlive()).toBe(true);
    const list = await this.client.send({ target: `/${this.bucket}?list-type=2` });
    expect([...list.body.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1])).toEqual(['kept']);
    const get = await this.client.send({ target: `/${this.bucket}/kept` });
    expect([get.status, get.body]).toEqual([200, 'kept']);
    const uploads = await this.client.send({ target: `/${this.bucket}?uploads=` });
    expect(uploads.body).not.toContain('<Upload>');
  }
}

/** Starts a node before the tests of a file and stops it after them. */
export function useScene(settings: Readonly<Record<string, string>> = {}): Scene {
  const scene = new Scene();
  beforeAll(() => scene.start(settings), 60_000);
  afterAll(() => scene.stop(), 60_000);
  return scene;
}
