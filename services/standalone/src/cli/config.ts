/** Where a command asks, and as whom. */
export type ApiConfig = Readonly<{ url: URL; token: string }>;

/** Of the variables only these two are looked at: others are for hosts. The error names no value. */
export function apiConfig(env: NodeJS.ProcessEnv = process.env): ApiConfig {
  const url = URL.parse(env['PATCHTRAIL_URL'] ?? '');
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error('PATCHTRAIL_URL: must be the http or https URL of the API');
  }
  const token = env['PATCHTRAIL_TOKEN'] ?? '';
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Error('PATCHTRAIL_TOKEN: must be an access token');
  }
  return { url, token };
}
