/**
 * Exits with 0 if the node on this machine is ready, and with 1 otherwise. What the image's HEALTHCHECK runs. It reads the settings
 * that the node reads, from the environment and the settings file; flags of a `serve` of its own it cannot know.
 */
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { loadSettings } from '../src/cli/load-settings.ts';

const { settings } = await loadSettings(new Map(), process.env, undefined);
const everywhere = settings.host === '0.0.0.0' || settings.host === '::';
const options = {
  host: everywhere ? '127.0.0.1' : settings.host,
  port: settings['admin.port'],
  path: '/readyz',
  timeout: 2_500,
  // The certificate names the node's public name, not the loopback address.
  rejectUnauthorized: false,
};

const request = (settings['tls.cert'] === undefined ? httpGet : httpsGet)(options, (answer) => {
  process.exit(answer.statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => request.destroy());
request.on('error', () => process.exit(1));
