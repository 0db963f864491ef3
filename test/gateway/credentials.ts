/** The key that gateways under test know. */
export const credentials = {
  accessKeyId: 'AKIATESTTESTTESTTEST',
  secretAccessKey: 'a secret of no worth',
};
