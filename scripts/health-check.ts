/** Exits with 0 if the node on this machine is ready, and with 1 otherwise. What the image's HEALTHCHECK runs. */
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';

const { FOREBAY_ADMIN_PORT: port = '9001', FOREBAY_TLS_CERT: certificate } = process.env;
const options = {
  host: '127.0.0.1',
  port,
  path: '/readyz',
  timeout: 2_500,
  // The certificate names the node's public name, not the loopback address.
  rejectUnauthorized: false,
};

const request = (certificate === undefined ? httpGet : httpsGet)(options, (answer) => {
  process.exit(answer.statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => request.destroy());
request.on('error', () => process.exit(1));
