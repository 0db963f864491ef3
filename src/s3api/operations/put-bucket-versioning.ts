import type { Call, S3Response } from '../call.ts';
import { notImplemented, S3Error } from '../errors.ts';
import { bucketOf } from '../request.ts';
import type { Versioning } from '../service.ts';
import { leafTexts, parseXml } from '../xml-reader.ts';

const maxBodyBytes = 64 * 1024;
/** Status and MfaDelete. */
const maxElements = 2;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html */
export async function putBucketVersioning(call: Call): Promise<S3Response> {
  const versioning = parseVersioning(await call.text(maxBodyBytes));
  await call.service.setVersioning(bucketOf(call.request), versioning);
  return { status: 200, headers: {} };
}

/** MalformedXML, IllegalVersioningConfigurationException, NotImplemented. */
function parseVersioning(body: string): Versioning {
  const configuration = parseXml(body, 'VersioningConfiguration', maxElements);
  const { Status: status, MfaDelete: mfaDelete } = leafTexts(configuration, ['Status', 'MfaDelete']);
  if (mfaDelete !== undefined && mfaDelete !== 'Disabled') {
    throw mfaDelete === 'Enabled' ? notImplemented('MfaDelete') : new S3Error('MalformedXML');
  }
  if (status === undefined) throw new S3Error('IllegalVersioningConfigurationException');
  if (status === 'Enabled') return 'enabled';
  if (status === 'Suspended') return 'suspended';
  throw new S3Error('MalformedXML');
}
